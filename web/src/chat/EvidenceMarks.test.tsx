import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import type { AnswerEvidence, EvidencePlace, Message, NumberMark } from "../api/types";
import { zh } from "../i18n/zh";
import { EvidenceMarks, reasonOf } from "./EvidenceMarks";

afterEach(cleanup);

const place: EvidencePlace = {
  source: "image_text",
  image_index: 0,
  line_id: "L2",
  quote: "特价：85元",
  box: [0, 0, 9, 9],
};

function mark(fields: Partial<NumberMark>): NumberMark {
  return { span: [0, 2], text: "85", state: "found", evidence: [place], formula: null, ...fields };
}

function message(evidence: Partial<AnswerEvidence> | null): Message {
  const whole = { verified: "ocr", marks: [], evidence: [], suspected_instructions: [], num_unverified: 0 };
  return { evidence: evidence && { ...whole, ...evidence } } as unknown as Message;
}

test("says where a number stands, how it was computed, or that it was not found", () => {
  expect(reasonOf(mark({}), zh.evidence)).toBe("图1「特价：85元」");
  expect(reasonOf(mark({ evidence: [{ ...place, source: "post_text" }] }), zh.evidence)).toBe(
    "文字「特价：85元」",
  );
  const computed = reasonOf(mark({ state: "computed", formula: "120-85" }), zh.evidence);
  expect(computed).toContain("120-85");
  expect(computed).toContain("特价：85元");
  expect(reasonOf(mark({ state: "unverified", evidence: [] }), zh.evidence)).toBe(zh.evidence.unverified);
});

test("shows every number with its words, not by colour alone", () => {
  const marks = [mark({}), mark({ span: [5, 8], text: "999", state: "unverified", evidence: [] })];
  render(<EvidenceMarks message={message({ marks })} />);
  expect(screen.getAllByRole("listitem").map((item) => item.textContent)).toEqual([
    expect.stringContaining("85"),
    expect.stringContaining("999"),
  ]);
  expect(screen.getByRole("region").textContent).toContain("「特价：85元」");
});

test("quotes of a picture stay text, and without anything to say nothing is shown", () => {
  const hostile = { ...place, quote: "<img src=x onerror=alert(1)>" };
  render(<EvidenceMarks message={message({ suspected_instructions: [hostile] })} />);
  expect(screen.getByRole("region").textContent).toContain("<img src=x onerror=alert(1)>");
  expect(document.querySelector("img")).toBeNull();
  cleanup();
  const { container } = render(<EvidenceMarks message={message({})} />);
  expect(container.textContent).toBe("");
  expect(render(<EvidenceMarks message={message(null)} />).container.textContent).toBe("");
});
