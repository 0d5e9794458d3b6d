import { expect, test } from "vitest";
import { ANALYSIS_MAX_CHARS, ANALYSIS_PROMPT, countChars, TEMPLATES } from "../chat/templates";
import { ageOf } from "../history/HistoryList";
import { en } from "../i18n/en";
import { zh } from "../i18n/zh";
import { languageOf } from "./preferences";
import { hashOf, routeOf } from "./route";
import { bytesText, durationText, percentText } from "./units";

test("an address leads to its place and back, and a strange one to a new chat", () => {
  expect(routeOf("#/c/conv_12-ab")).toEqual({ name: "chat", id: "conv_12-ab" });
  expect(routeOf(hashOf({ name: "system" }))).toEqual({ name: "system" });
  for (const strange of ["", "#/c/", "#/c/../../x", "#/c/<img>", "#/nowhere"])
    expect(routeOf(strange)).toEqual({ name: "chat", id: null });
});

test("the browser's first known language is taken", () => {
  expect(languageOf(["zh-TW", "en"])).toBe("zh");
  expect(languageOf(["fr-FR", "en-GB", "zh-CN"])).toBe("en");
  expect(languageOf(["fr-FR", "zh-CN"])).toBe("zh");
  expect(languageOf(["fr"])).toBe("en");
});

test("chats are grouped by calendar days", () => {
  const now = new Date(2026, 2, 10, 0, 30);
  const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000).toISOString();
  expect([0.2, 1, 24, 30, 24 * 5, 24 * 9].map((hours) => ageOf(hoursAgo(hours), now))).toEqual([
    "today",
    "yesterday",
    "yesterday",
    "week",
    "week",
    "older",
  ]);
});

test("sizes, durations and shares read well", () => {
  expect([0, 1023, 1536, 4.3 * 2 ** 30].map(bytesText)).toEqual(["0 B", "1023 B", "1.5 KB", "4.3 GB"]);
  expect([3240, 60_000, 600_000, 7_200_000].map((ms) => durationText(ms, en))).toEqual([
    "3.2 s",
    "60 s",
    "10 min",
    "2 h",
  ]);
  expect([percentText(1, 3), percentText(0, 0)]).toEqual(["33%", "–"]);
});

function pathsOf(value: object, at = ""): string[] {
  return Object.entries(value).flatMap(([name, inner]) =>
    typeof inner === "object" ? pathsOf(inner, `${at}.${name}`) : [`${at}.${name}`],
  );
}

test("both languages say the same things", () => {
  const isShared = (path: string) => !path.startsWith(".errors.byCode");
  expect(pathsOf(en).filter(isShared).sort()).toEqual(pathsOf(zh).filter(isShared).sort());
});

test("the standard analysis asks for what it is measured by", () => {
  expect(TEMPLATES).toHaveLength(6);
  expect(ANALYSIS_PROMPT).toContain(`不超过${ANALYSIS_MAX_CHARS}字`);
  for (const word of ["描述画面", "所有文字", "理由", "数字", "金额", "日期"])
    expect(ANALYSIS_PROMPT).toContain(word);
  expect(ANALYSIS_PROMPT.length).toBeLessThan(ANALYSIS_MAX_CHARS);
});

test("characters are counted as a reader does", () => {
  expect(countChars("**现价** 128元\n| a | b |\n|---|---|")).toBe("现价128元ab".length);
  expect(countChars("𠮷野家😀")).toBe(4);
});
