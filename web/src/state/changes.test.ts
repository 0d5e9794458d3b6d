import { expect, test } from "vitest";
import type { ReportsByTask } from "../api/reports";
import { changesBetween, isUnchanged } from "./changes";

function reports(
  suggestion: string,
  quotes: string[],
  price: string | null,
  polarity = "neutral",
): ReportsByTask {
  const listed = quotes.map((quote) => ({ rule_id: "AD9-3", title: "绝对化用语", evidence: { quote } }));
  return {
    moderate: {
      result: { suggestion, hits: listed, missing_notices: [], needs_proof: [], arithmetic: [] },
    },
    sentiment: { result: { overall: { polarity } } },
    extract: { result: { fields: { "offers[0].price": { value: price } } } },
  } as unknown as ReportsByTask;
}

test("the same report twice is no change", () => {
  const changes = changesBetween(reports("block", ["最佳"], "89"), reports("block", ["最佳"], "89"));
  expect(isUnchanged(changes)).toBe(true);
});

test("verdict, findings, mood and values that differ are told", () => {
  const changes = changesBetween(
    reports("block", ["最佳", "顶级"], "89", "negative"),
    reports("review", ["顶级", "第一"], "99"),
  );
  expect(changes).toEqual({
    verdict: { before: "block", now: "review" },
    gone: ["最佳"],
    come: ["第一"],
    polarity: { before: "negative", now: "neutral" },
    fields: [{ path: "offers[0].price", before: "89", now: "99" }],
  });
  expect(isUnchanged(changes)).toBe(false);
});

test("a field that is new, and a task that only one run had", () => {
  const now = reports("block", ["最佳"], "89");
  expect(changesBetween({}, now)).toEqual({ verdict: null, gone: [], come: [], polarity: null, fields: [] });
  const before = reports("block", ["最佳"], null);
  expect(changesBetween(before, now).fields).toEqual([{ path: "offers[0].price", before: null, now: "89" }]);
});
