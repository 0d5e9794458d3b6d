/**
 * The list of chats beside the open one.
 * Owns: the list, search, rename, delete with undo, export and import. Must not know: messages.
 */
import { call, send } from "../api/client";
import type { ConversationSummary, Imported } from "../api/types";
import { words } from "../i18n";
import { notifyError } from "./failures";
import { notify } from "./notices";
import { go, routeStore } from "./route";
import { saveFile } from "./saving";
import { createStore } from "./store";

interface HistoryState {
  list: ConversationSummary[];
  nextCursor: string | null;
  query: string;
  isLoaded: boolean;
}

interface Page {
  data: ConversationSummary[];
  next_cursor: string | null;
}

const PAGE_SIZE = 50;
const RUNNING_POLL_MS = 4_000;
const EXPORT_NAME = "kandong-chats.json";

export const historyStore = createStore<HistoryState>({
  list: [],
  nextCursor: null,
  query: "",
  isLoaded: false,
});

let numAsked = 0;
let pollTimer: ReturnType<typeof setTimeout> | undefined;

async function page(cursor: string | null): Promise<Page> {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
  const text = historyStore.get().query.trim();
  if (text) query.set("query", text);
  if (cursor) query.set("cursor", cursor);
  return call<Page>("GET", `/api/conversations?${query}`);
}

/** Read the first page again; a slower answer to an older question is dropped. */
export async function refreshHistory(): Promise<void> {
  numAsked += 1;
  const number = numAsked;
  clearTimeout(pollTimer);
  try {
    const found = await page(null);
    if (number !== numAsked) return;
    historyStore.set({ list: found.data, nextCursor: found.next_cursor, isLoaded: true });
    if (found.data.some((item) => item.running_generation_id !== null))
      pollTimer = setTimeout(() => void refreshHistory(), RUNNING_POLL_MS);
  } catch {
    // The session store tells when the server is away, and comes back here.
  }
}

export async function loadMore(): Promise<void> {
  const { nextCursor } = historyStore.get();
  if (nextCursor === null) return;
  try {
    const found = await page(nextCursor);
    historyStore.set((now) => {
      const known = new Set(now.list.map((item) => item.id));
      return {
        list: [...now.list, ...found.data.filter((item) => !known.has(item.id))],
        nextCursor: found.next_cursor,
      };
    });
  } catch (error) {
    notifyError(error);
  }
}

export function searchFor(query: string): void {
  historyStore.set({ query });
  void refreshHistory();
}

export async function rename(id: string, title: string): Promise<void> {
  const text = title.trim();
  if (!text) return;
  try {
    await call("PATCH", `/api/conversations/${id}`, { title: text });
    historyStore.set((now) => ({
      list: now.list.map((item) => (item.id === id ? { ...item, title: text } : item)),
    }));
  } catch (error) {
    notifyError(error);
  }
}

export async function remove(id: string): Promise<void> {
  const t = words().history;
  try {
    await call("DELETE", `/api/conversations/${id}`);
  } catch (error) {
    notifyError(error);
    return;
  }
  const { route } = routeStore.get();
  const wasOpen = route.name === "chat" && route.id === id;
  historyStore.set((now) => ({ list: now.list.filter((item) => item.id !== id) }));
  if (wasOpen) go({ name: "chat", id: null });
  const restore = async () => {
    try {
      await call("POST", `/api/conversations/${id}/restore`);
      await refreshHistory();
      if (wasOpen) go({ name: "chat", id });
      notify({ kind: "info", text: t.restored });
    } catch (error) {
      notifyError(error);
    }
  };
  notify({ kind: "info", text: t.deleted, action: { label: t.undo, run: () => void restore() } });
}

/** Save a file of one chat, or of all, to the reader's disk. */
export async function exportChats(id?: string, title?: string): Promise<void> {
  try {
    const response = await send(id ? `/api/conversations/${id}/export` : "/api/export");
    saveFile(
      await response.blob(),
      title ? `${title.replace(/[\\/:*?"<>|]/g, " ").slice(0, 60)}.json` : EXPORT_NAME,
    );
  } catch (error) {
    notifyError(error);
  }
}

export async function importChats(file: File): Promise<void> {
  const t = words().history;
  let content: unknown;
  try {
    content = JSON.parse(await file.text());
  } catch {
    content = null;
  }
  if (typeof content !== "object" || content === null || !("kandong_export" in content)) {
    notify({ kind: "error", text: t.notAnExport });
    return;
  }
  try {
    const found = await call<Imported>("POST", "/api/import", content);
    await refreshHistory();
    notify({ kind: "info", text: t.imported(found.num_conversations, found.num_skipped) });
    if (found.conversation_ids.length === 1) go({ name: "chat", id: found.conversation_ids[0] ?? null });
  } catch (error) {
    notifyError(error);
  }
}
