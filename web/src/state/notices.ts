/** Short notices at the page's edge, some of which can be undone. Owns: the list and how long each stays. */
import { createStore } from "./store";

export interface Notice {
  id: number;
  kind: "info" | "error";
  text: string;
  detail?: string;
  action?: { label: string; run: () => void };
}

const INFO_MS = 5_000;
const ACTION_MS = 10_000;
const ERROR_MS = 12_000;

export const notices = createStore<{ list: Notice[] }>({ list: [] });
let lastId = 0;

export function dismiss(id: number): void {
  notices.set((now) => ({ list: now.list.filter((notice) => notice.id !== id) }));
}

/** Show a notice for a while; at most three at a time, the oldest goes first. */
export function notify(notice: Omit<Notice, "id">): void {
  lastId += 1;
  const id = lastId;
  notices.set((now) => ({
    list: [...now.list.filter((n) => n.text !== notice.text), { ...notice, id }].slice(-3),
  }));
  const forMs = notice.kind === "error" ? ERROR_MS : notice.action ? ACTION_MS : INFO_MS;
  setTimeout(() => dismiss(id), forMs);
}
