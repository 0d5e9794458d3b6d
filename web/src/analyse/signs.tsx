/** Signs that go with every colour. Owns: which sign means what. Must not know: findings. */
import {
  CalculatorOutlined,
  CheckCircleOutlined,
  ExclamationCircleOutlined,
  EyeOutlined,
  MinusCircleOutlined,
  QuestionCircleOutlined,
  StopOutlined,
  WarningOutlined,
} from "@ant-design/icons";
import type { ReactNode } from "react";
import type { FieldStatus, Mark, Suggestion } from "../api/reports";
import type { Tone } from "./findings";

/** Stands before the number of a mark, in the picture and in the list. */
export const TONE_SIGNS: Record<Tone, string> = { bad: "!!", warn: "!", good: "✓", plain: "" };

export const VERDICT_ICONS: Record<Suggestion, ReactNode> = {
  pass: <CheckCircleOutlined aria-hidden />,
  review: <EyeOutlined aria-hidden />,
  block: <StopOutlined aria-hidden />,
};

export const VERDICT_TONES: Record<Suggestion, Tone> = { pass: "good", review: "warn", block: "bad" };

const STATUS_ICONS: Record<FieldStatus, ReactNode> = {
  verified: <CheckCircleOutlined aria-hidden />,
  computed: <CalculatorOutlined aria-hidden />,
  single: <ExclamationCircleOutlined aria-hidden />,
  conflict: <WarningOutlined aria-hidden />,
  missing: <MinusCircleOutlined aria-hidden />,
};

const STATUS_TONES: Record<FieldStatus, Tone> = {
  verified: "good",
  computed: "good",
  single: "plain",
  conflict: "bad",
  missing: "plain",
};

export const MARK_ICONS: Record<Mark["state"], ReactNode> = {
  found: <CheckCircleOutlined aria-hidden />,
  computed: <CalculatorOutlined aria-hidden />,
  unverified: <QuestionCircleOutlined aria-hidden />,
};

export function FieldSign({ status, word }: { status: FieldStatus; word: string }) {
  return (
    <span className={`sign is-${STATUS_TONES[status]}`}>
      {STATUS_ICONS[status]}
      {word}
    </span>
  );
}

/** The number of a mark as it stands at the box. */
export function MarkLabel({ tone, label }: { tone: Tone; label: string }) {
  return (
    <span className={`mark-label is-${tone}`} aria-hidden>
      {TONE_SIGNS[tone]}
      {label}
    </span>
  );
}
