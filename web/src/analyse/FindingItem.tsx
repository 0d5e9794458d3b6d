/**
 * One finding in the list: lights its box while pointer or focus is on it, is picked by click or Enter.
 * Owns: pointing, and being scrolled to when its box is pointed at. Must not know: what it says.
 */
import { type KeyboardEvent, type MouseEvent, type ReactNode, useEffect, useRef } from "react";
import { useStore } from "../state/store";
import type { Finding } from "./findings";
import { activeOf, light, pick, selectionStore } from "./selection";
import { MarkLabel } from "./signs";

const OWN_ACTION = "button, a, input, summary";

export function FindingItem({
  finding,
  as: Tag = "li",
  className = "",
  children,
}: {
  finding: Finding;
  as?: "li" | "tr";
  className?: string;
  children: ReactNode;
}) {
  const element = useRef<HTMLElement>(null);
  const { id } = finding;
  const isLit = useStore(selectionStore, (value) => activeOf(value) === id);
  const isPicked = useStore(selectionStore, (value) => value.picked === id);
  const isEntry = useStore(selectionStore, (value) => value.entry === id);
  const isFromBoard = useStore(selectionStore, (value) => activeOf(value) === id && value.side === "board");
  useEffect(() => {
    if (!isFromBoard) return;
    for (let fold = element.current?.closest("details"); fold; fold = fold.parentElement?.closest("details"))
      fold.open = true;
    element.current?.scrollIntoView({ block: "nearest" });
  }, [isFromBoard]);
  const isOwn = (event: MouseEvent | KeyboardEvent) =>
    event.target instanceof Element && event.target.closest(OWN_ACTION) !== null;
  const onKeyDown = (event: KeyboardEvent) => {
    if (isOwn(event) || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    pick(id, "list");
  };
  const state = `${isLit ? " is-lit" : ""}${isPicked ? " is-picked" : ""}`;
  return (
    <Tag
      ref={element as never}
      className={`finding is-${finding.tone}${state} ${className}`}
      data-finding={id}
      tabIndex={isEntry ? 0 : -1}
      aria-current={isPicked ? "true" : undefined}
      onMouseEnter={() => light(id, "list")}
      onMouseLeave={() => light(null, "list")}
      onFocus={() => {
        selectionStore.set({ entry: id });
        light(id, "list");
      }}
      onBlur={() => light(null, "list")}
      onClick={(event) => !isOwn(event) && pick(id, "list")}
      onKeyDown={onKeyDown}
    >
      {children}
    </Tag>
  );
}

/** The number that leads to the box; a blank of the same size where there is none. */
export function PlaceLabel({ finding }: { finding: Finding }) {
  return finding.label === null ? (
    <span className="mark-label is-none" aria-hidden />
  ) : (
    <MarkLabel tone={finding.tone} label={finding.label} />
  );
}
