/** The post's words with what was found in them. Owns: marks in text. Must not know: what findings say. */
import { type KeyboardEvent, useEffect, useRef } from "react";
import { useWords } from "../i18n";
import { useStore } from "../state/store";
import type { Finding } from "./findings";
import { piecesOf, type TextPiece } from "./places";
import { activeOf, light, pick, selectionStore } from "./selection";
import { MarkLabel } from "./signs";

export function PostText({ text, findings }: { text: string; findings: Finding[] }) {
  const t = useWords().analyse;
  if (text.trim() === "") return null;
  return (
    <section className="post-words" aria-label={t.postWords}>
      <h3>{t.postWords}</h3>
      <p lang="zh-CN">
        {piecesOf(text, findings).map((piece) =>
          piece.ids.length === 0 ? (
            <span key={piece.start}>{piece.text}</span>
          ) : (
            <TextMark key={piece.start} piece={piece} findings={findings} />
          ),
        )}
      </p>
    </section>
  );
}

/** Whether the words scroll by themselves: where they scroll with the report, going to one would leave the other. */
function hasOwnPane(element: Element | null): boolean {
  const pane = element?.closest(".post-pane");
  return pane ? getComputedStyle(pane).overflowY === "auto" : false;
}

function TextMark({ piece, findings }: { piece: TextPiece; findings: Finding[] }) {
  const t = useWords().analyse;
  const element = useRef<HTMLSpanElement>(null);
  const own = findings.filter((one) => piece.ids.includes(one.id));
  const active = useStore(selectionStore, activeOf);
  const isLit = active !== null && piece.ids.includes(active);
  const isFromList = useStore(selectionStore, (value) => isLit && value.side === "list");
  useEffect(() => {
    if (isFromList && hasOwnPane(element.current)) element.current?.scrollIntoView({ block: "nearest" });
  }, [isFromList]);
  const first = own[0];
  if (!first) return <span>{piece.text}</span>;
  // A number only where its words begin.
  const begun = own.filter((one) =>
    one.places.some((place) => place.kind === "text" && place.start === piece.start),
  );
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    pick(first.id, "board");
  };
  const point = () => light(first.id, hasOwnPane(element.current) ? "board" : "list");
  const numbers = own.flatMap(({ label }) => (label === null ? [] : [label]));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a button element would not break with its line
    <span
      ref={element}
      className={`text-mark is-${first.tone}${isLit ? " is-lit" : ""}`}
      data-box={piece.ids.join(" ")}
      role="button"
      tabIndex={0}
      aria-label={t.box(numbers.join(", "), piece.text)}
      onMouseEnter={point}
      onMouseLeave={() => light(null, "board")}
      onFocus={point}
      onBlur={() => light(null, "board")}
      onClick={() => pick(first.id, "board")}
      onKeyDown={onKeyDown}
    >
      {begun.map((one) => (
        <MarkLabel key={one.id} tone={one.tone} label={one.label ?? ""} />
      ))}
      {piece.text}
    </span>
  );
}
