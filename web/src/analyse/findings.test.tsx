import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Evidence, ReportsByTask } from "../api/reports";
import { en } from "../i18n/en";
import { zh } from "../i18n/zh";
import { preferences } from "../state/preferences";
import { ExtractSection } from "./ExtractSection";
import { defaultLayers, findingsOf } from "./findings";
import { ModerateSection } from "./ModerateSection";
import { fieldName, valueText } from "./names";
import { boxMarks, Overlay } from "./Overlay";
import { PostText } from "./PostText";
import { piecesOf, placesOf } from "./places";
import { resetSelection, selectionStore } from "./selection";

beforeEach(() => {
  preferences.set({ language: "zh" });
  resetSelection(null);
});
afterEach(cleanup);

const evidence = (fields: Partial<Evidence>): Evidence => ({
  source: "image_text",
  image_index: 0,
  line_id: "L1",
  span: [0, 2],
  quote: "最佳",
  box: [10, 20, 30, 40],
  ...fields,
});

const hit = (suggest: string, where: Partial<Evidence>) => ({
  rule_id: "AD9-3",
  title: "绝对化用语",
  law: "广告法",
  article: "9(三)",
  penalty_article: "57",
  certainty: "V",
  severity: "high",
  term: "最佳",
  normalized_from: null,
  reason: "条文列举的绝对化用语",
  reword: "删去",
  decided_by: "rule",
  suggest,
  evidence: evidence(where),
});

function reports(): ReportsByTask {
  const none = {
    missing_notices: [],
    needs_proof: [],
    arithmetic: [],
    exempted: [],
    suspected_instructions: [],
  };
  const field = { value: "89", status: "verified", proposed: null, formula: null };
  const missing = { value: null, status: "missing", evidence: [], proposed: null, formula: null };
  const line = {
    id: "L1",
    text: "最佳",
    conf: 0.9,
    low_conf: false,
    box: [0, 0, 9, 9],
    vlm_text: null,
    agree: null,
  };
  return {
    moderate: {
      task: "moderate",
      result: {
        ...none,
        hits: [hit("block", {}), hit("review", { source: "post_text", line_id: null, box: null })],
      },
    },
    extract: {
      task: "extract",
      result: {
        fields: { brand: missing, "offers[0].price": { ...field, evidence: [evidence({ quote: "89" })] } },
        conflicts: [{ field: "price", kind: "values", values: [], evidence: [] }],
        rules: [],
        promotion_rules: [],
        offers: [{ price_kind: "current" }],
      },
    },
    read: {
      task: "read",
      result: {
        images: [
          { index: 0, width_px: 50, height_px: 50, full_text: "", lines: [line], numbers: [], codes: [] },
        ],
      },
    },
  } as unknown as ReportsByTask;
}

test("findings are numbered through all tasks; lines keep their own names, what stands nowhere has none", () => {
  const findings = findingsOf(reports(), "最佳");
  expect(findings.map(({ id, tone, label }) => [id, tone, label])).toEqual([
    ["moderate-0", "bad", "1"],
    ["moderate-1", "warn", "2"],
    ["extract-0", "plain", null],
    ["extract-1", "good", "3"],
    ["read-0", "plain", "L1"],
  ]);
  expect(defaultLayers(findings)).toEqual(["moderate", "extract"]);
  expect(defaultLayers(findings.filter((one) => one.task === "read"))).toEqual(["read"]);
});

test("equal boxes are one mark that looks as grave as its gravest finding", () => {
  const [mark, line] = boxMarks(findingsOf(reports(), "").reverse(), 0).reverse();
  expect([mark?.tone, mark?.findings.length]).toEqual(["bad", 2]);
  expect(line?.findings.map((one) => one.label)).toEqual(["L1"]);
  expect(boxMarks(findingsOf(reports(), ""), 1)).toEqual([]);
});

test("words are found by line and character, also behind rare ones, else by what they are", () => {
  const text = "😡😡一行\r\n第二行最佳";
  const at = (fields: Partial<Evidence>) =>
    placesOf(evidence({ source: "post_text", box: null, ...fields }), text);
  const place = { kind: "text", start: text.indexOf("最佳"), end: text.length };
  expect(at({ line_id: "T2", span: [3, 5] })).toEqual([place]);
  expect(at({ line_id: null, span: [9, 11] })).toEqual([place]);
  expect(at({ line_id: "T9", span: [0, 2] })).toEqual([place]);
  expect(at({ line_id: "T1", span: [0, 2], quote: "顶级" })).toEqual([]);
  expect(placesOf(evidence({ source: "comment", box: null, image_index: null }), text)).toEqual([]);
  const broken = evidence({ continued: [{ line_id: "L2", quote: "佳", span: [0, 1], box: [1, 2, 3, 4] }] });
  expect(placesOf(broken, text)).toHaveLength(2);
});

test("the post's words are cut where findings begin and end, and none is lost", () => {
  const place = (start: number, end: number) => ({ kind: "text" as const, start, end });
  const pieces = piecesOf("全网最低价", [
    { id: "a", places: [place(0, 4)] },
    { id: "b", places: [place(2, 5)] },
  ]);
  expect(pieces.map((piece) => [piece.text, piece.ids.join()])).toEqual([
    ["全网", "a"],
    ["最低", "a,b"],
    ["价", "b"],
  ]);
  expect(piecesOf("", [])).toEqual([]);
});

test("fields have names, and dates without a year only month and day", () => {
  const t = zh.analyse;
  const offers = [{ price_kind: "current" }, { price_kind: "coupon" }, { price_kind: "coupon" }];
  expect(
    ["brand", "products[1].name", "promotion.gifts[0]", "promotion.start", "arithmetic"].map((path) =>
      fieldName(path, t),
    ),
  ).toEqual(["品牌", "商品 2 名称", "赠品 1", "开始", "价格计算"]);
  expect([0, 1].map((n) => fieldName(`offers[${n}].price`, t, offers))).toEqual(["现价", "券 1"]);
  expect(fieldName("offers[0].saving", en.analyse, offers)).toBe("saving");
  expect(["--07-01", "2026-07-01", null].map(valueText)).toEqual(["07-01", "2026-07-01", "–"]);
});

test("pointing at a finding lights its box, Enter picks it, and a box does the same to its finding", () => {
  const findings = findingsOf(reports(), "最佳");
  const own = findings.filter((one) => one.task === "moderate");
  render(
    <>
      <ModerateSection findings={own} />
      <Overlay image={0} widthPx={50} heightPx={50} scale={1} findings={findings} isShown={() => true} />
      <PostText text="最佳" findings={findings} />
    </>,
  );
  const item = document.querySelector('[data-finding="moderate-0"]') as HTMLElement;
  const box = document.querySelector('[data-box~="moderate-0"]') as SVGElement;
  expect(box.getAttribute("aria-label")).toBe("标记 1, 3：绝对化用语 最佳; offers[0].price 89");
  fireEvent.mouseEnter(item);
  expect(box.classList.contains("is-lit")).toBe(true);
  fireEvent.mouseLeave(item);
  expect(box.classList.contains("is-lit")).toBe(false);
  fireEvent.keyDown(item, { key: "Enter" });
  expect(item.getAttribute("aria-current")).toBe("true");
  fireEvent.keyDown(item, { key: " " });
  expect(item.getAttribute("aria-current")).toBeNull();
  fireEvent.mouseLeave(item);
  fireEvent.focus(box);
  expect(item.className).toContain("is-lit");
  fireEvent.click(box);
  expect(selectionStore.get().picked).toBe("moderate-0");
  fireEvent.click(screen.getAllByRole("button", { name: "复制改法" })[0] as HTMLElement);
  expect(selectionStore.get().picked).toBe("moderate-0");
  fireEvent.mouseEnter(document.querySelector(".text-mark") as HTMLElement);
  expect(document.querySelector('[data-finding="moderate-1"]')?.className).toContain("is-lit");
});

test("every value says its state in words, and what is missing comes last", () => {
  const found = reports();
  const own = findingsOf(found, "").filter((one) => one.task === "extract");
  if (found.extract) render(<ExtractSection report={found.extract} findings={own} />);
  const rows = screen.getAllByRole("row").map((row) => row.textContent);
  expect(rows[1]).toContain("现价");
  expect(rows[1]).toContain("89");
  expect(rows[1]).toContain("已核实");
  expect(rows[2]).toContain("没有提到");
});
