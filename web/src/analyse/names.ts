/** Names of fields as people say them. Owns: paths → words. Must not know: values. */
import type { ExtractResult } from "../api/reports";
import type { AnalyseWords } from "../i18n/zh";

/** offers[0].price → 现价; products[1].name → 商品 2 名称. */
export function fieldName(path: string, t: AnalyseWords, offers: ExtractResult["offers"] = []): string {
  const match = /^(?:promotion\.)?(\w+?)s?(?:\[(\d+)\])?(?:\.(\w+))?$/.exec(path);
  if (!match) return path;
  const [, group = "", index, leaf] = match;
  const number = index === undefined ? null : Number(index);
  if (group === "offer" && number !== null) {
    const kind = offers[number]?.price_kind;
    const own = leaf === "price" && kind ? t.priceKinds[kind] : undefined;
    const alike = offers.filter((offer) => offer.price_kind === kind);
    const before = offers.slice(0, number).filter((offer) => offer.price_kind === kind);
    return [own ?? t.fields[leaf ?? ""] ?? leaf, alike.length > 1 ? String(before.length + 1) : ""]
      .filter(Boolean)
      .join(" ");
  }
  const name = t.fields[group] ?? t.fields[path.split(".").at(-1) ?? ""] ?? group;
  return [name, number !== null ? String(number + 1) : "", leaf ? (t.fields[leaf] ?? leaf) : ""]
    .filter(Boolean)
    .join(" ");
}

/** A value as people write it: a date without a year is only month and day. */
export function valueText(value: string | null): string {
  return value === null ? "–" : value.replace(/^--(?=\d\d-\d\d$)/, "");
}
