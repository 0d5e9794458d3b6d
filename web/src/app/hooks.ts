/** What the page needs to know of the screen and the keyboard. */
import { useEffect, useSyncExternalStore } from "react";
import { SEARCH_ID } from "../history/Sidebar";
import { closePanel, openPanel, panelStore } from "../state/panels";
import { preferences } from "../state/preferences";
import { go, routeStore } from "../state/route";
import { stop, threadStore } from "../state/thread";

/** Whether a media query holds, now and later. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const list = window.matchMedia(query);
      list.addEventListener("change", listener);
      return () => list.removeEventListener("change", listener);
    },
    () => window.matchMedia(query).matches,
  );
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

function focusSearch(isPhone: boolean): void {
  if (isPhone) openPanel("sidebar");
  else preferences.set({ isSidebarOpen: true });
  setTimeout(() => document.getElementById(SEARCH_ID)?.focus(), 50);
}

/** Ctrl+K search, Ctrl+Shift+O new, Ctrl+B side bar, Esc stop, ? help; nothing of it while characters are being composed. */
export function useShortcuts(isPhone: boolean): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.isComposing || event.defaultPrevented) return;
      const key = event.key.toLowerCase();
      const isCtrl = event.ctrlKey || event.metaKey;
      if (isCtrl && !event.shiftKey && key === "k") {
        event.preventDefault();
        focusSearch(isPhone);
      } else if (isCtrl && event.shiftKey && key === "o") {
        event.preventDefault();
        go({ name: "chat", id: null });
      } else if (isCtrl && !event.shiftKey && key === "b" && !isPhone) {
        event.preventDefault();
        preferences.set({ isSidebarOpen: !preferences.get().isSidebarOpen });
      } else if (
        key === "escape" &&
        panelStore.get().open === null &&
        !document.querySelector("dialog[open]")
      ) {
        if (threadStore.get().live && routeStore.get().route.name === "chat") void stop();
      } else if (key === "escape" && panelStore.get().open === "sidebar") {
        closePanel();
      } else if (event.key === "?" && !isCtrl && !isTyping(event.target)) {
        event.preventDefault();
        openPanel("shortcuts");
      }
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [isPhone]);
}
