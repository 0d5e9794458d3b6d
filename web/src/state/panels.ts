/** Which panel lies over the page. Owns: at most one at a time. */
import { createStore } from "./store";

export type PanelName = "settings" | "shortcuts" | "sidebar";

export const panelStore = createStore<{ open: PanelName | null }>({ open: null });

export function openPanel(name: PanelName): void {
  panelStore.set({ open: name });
}

export function closePanel(): void {
  panelStore.set({ open: null });
}
