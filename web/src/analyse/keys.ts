/**
 * Keys of 分析: J and K or the arrows go through findings or boxes, Escape lets go.
 * Owns: moving focus. Must not know: what Enter does (each finding and box does that itself).
 */
import { useEffect } from "react";
import { panelStore } from "../state/panels";
import { release, selectionStore } from "./selection";

const STEPS: Record<string, number> = {
  j: 1,
  k: -1,
  ArrowDown: 1,
  ArrowUp: -1,
  ArrowRight: 1,
  ArrowLeft: -1,
};
const IN_LIST = /^Arrow(Up|Down)$/;

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Those that are seen: not what lies in a closed fold. */
function visible(selector: string): (HTMLElement | SVGElement)[] {
  return [...document.querySelectorAll<HTMLElement | SVGElement>(selector)].filter(
    (element) => element.getClientRects().length > 0,
  );
}

function move(step: number, isOnBoard: boolean): void {
  const all = visible(isOnBoard ? ".looking [data-box]" : "[data-finding]");
  const focused = document.activeElement;
  const now = all.findIndex((element) => element === focused || element.contains(focused));
  const { picked, entry } = selectionStore.get();
  const known = now >= 0 ? now : all.findIndex((element) => element.dataset.finding === picked);
  const at = known >= 0 ? known + step : all.findIndex((element) => element.dataset.finding === entry);
  all[Math.max(0, Math.min(all.length - 1, at))]?.focus();
}

export function useFindingKeys(): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.isComposing || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey)
        return;
      if (isTyping(event.target) || panelStore.get().open !== null || document.querySelector("dialog[open]"))
        return;
      if (event.key === "Escape") {
        if (release()) event.preventDefault();
        return;
      }
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const step = STEPS[key];
      if (step === undefined) return;
      const target = event.target instanceof Element ? event.target : null;
      const isOnBoard = target?.matches("[data-box]") === true;
      const isInList = target?.matches("[data-finding]") === true;
      // Arrows scroll, unless the focus is where they have something to go through.
      if (key.startsWith("Arrow") && !isOnBoard && !(isInList && IN_LIST.test(key))) return;
      event.preventDefault();
      move(step, isOnBoard);
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}
