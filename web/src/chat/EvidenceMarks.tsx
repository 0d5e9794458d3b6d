/** What an answer's numbers rest on. Owns: these marks. Must not know: how they were checked. */
import { CalculatorOutlined, CheckCircleOutlined, QuestionCircleOutlined } from "@ant-design/icons";
import type { ReactNode } from "react";
import type { EvidencePlace, Message, NumberMark } from "../api/types";
import { useWords } from "../i18n";
import type { Dictionary } from "../i18n/zh";

const ICONS: Record<NumberMark["state"], ReactNode> = {
  found: <CheckCircleOutlined aria-hidden />,
  computed: <CalculatorOutlined aria-hidden />,
  unverified: <QuestionCircleOutlined aria-hidden />,
};

function placeText(place: EvidencePlace, t: Dictionary["evidence"]): string {
  const quote = `「${place.quote}」`;
  if (place.source === "post_text") return `${t.post}${quote}`;
  return `${t.picture((place.image_index ?? 0) + 1)}${quote}`;
}

/** What stands behind a mark, in words: colour and sign are never all there is. */
export function reasonOf(mark: NumberMark, t: Dictionary["evidence"]): string {
  if (mark.state === "unverified") return t.unverified;
  const places = mark.evidence.map((place) => placeText(place, t)).join("，");
  if (mark.state === "computed") return [t.computed, mark.formula, places].filter(Boolean).join("：");
  return places || t.found;
}

export function EvidenceMarks({ message }: { message: Message }) {
  const t = useWords().evidence;
  const evidence = message.evidence;
  if (evidence === null || evidence === undefined) return null;
  const { marks, suspected_instructions: suspected } = evidence;
  if (marks.length === 0 && suspected.length === 0) return null;
  return (
    <section className="evidence" aria-label={t.title}>
      {marks.length > 0 && (
        <ul>
          {marks.map((mark) => (
            <li key={mark.span.join("-")} className={`mark is-${mark.state}`}>
              {ICONS[mark.state]}
              <strong>{mark.text}</strong>
              <span>{reasonOf(mark, t)}</span>
            </li>
          ))}
        </ul>
      )}
      {suspected.length > 0 && (
        <p className="mark is-unverified">
          <QuestionCircleOutlined aria-hidden />
          <span>{t.suspected(suspected.map((place) => `「${place.quote}」`).join("，"))}</span>
        </p>
      )}
    </section>
  );
}
