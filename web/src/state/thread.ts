/**
 * The open chat and the answer that is being written in it.
 * Owns: loading, sending, following, stopping, answering again, taking back. Must not know: how any of it looks.
 */
import { ApiError, call } from "../api/client";
import { followEvents, type WireEvent } from "../api/events";
import type { ChatSettings, Conversation, GenerationEvent, Message, PictureFile, Posted } from "../api/types";
import { words } from "../i18n";
import { notifyError } from "./failures";
import { refreshHistory } from "./history";
import { foldEvent, isRunning, type Live, newLive } from "./live";
import { notify } from "./notices";
import { preferences } from "./preferences";
import { go } from "./route";
import { createStore } from "./store";

export interface PendingQuestion {
  text: string;
  pictures: { url: string; name: string }[];
}

interface ThreadState {
  id: string | null;
  isLoading: boolean;
  error: unknown;
  conversation: Conversation | null;
  /** Sent, and not yet taken by the server. */
  pending: PendingQuestion | null;
  live: Live | null;
  /** Said once to screen readers when an answer ends. */
  announcement: string;
}

const SHOW_EVERY_MS = 50;
const LAST_EVENTS = new Set(["done", "stopped", "failed"]);
const EMPTY: ThreadState = {
  id: null,
  isLoading: false,
  error: null,
  conversation: null,
  pending: null,
  live: null,
  announcement: "",
};

export const threadStore = createStore<ThreadState>(EMPTY);

let following: AbortController | null = null;

function leave(): void {
  following?.abort();
  following = null;
}

/** Show a chat, and go on with its running answer if there is one; null is a new, empty chat. */
export async function openThread(id: string | null): Promise<void> {
  if (id !== null && id === threadStore.get().id && threadStore.get().error === null) return;
  leave();
  threadStore.set({ ...EMPTY, id, isLoading: id !== null });
  if (id !== null) await reload(id);
}

async function reload(id: string): Promise<void> {
  try {
    const conversation = await call<Conversation>("GET", `/api/conversations/${id}`);
    if (threadStore.get().id === id) show(conversation);
  } catch (error) {
    if (threadStore.get().id === id) threadStore.set({ isLoading: false, error });
  }
}

function show(conversation: Conversation): void {
  threadStore.set({ conversation, isLoading: false, error: null, pending: null });
  const running = conversation.messages.find(isRunning);
  const generationId = conversation.running_generation_id ?? running?.generation_id ?? null;
  if (running && generationId) follow(conversation.id, generationId);
}

export interface Question {
  text: string;
  files: PictureFile[];
  previews: { url: string; name: string }[];
  replaceFrom?: string;
  /** Words of the post that a new chat is about. */
  postText?: string | undefined;
}

/** Ask in the open chat, which is made now if it is new. Errors: as the server's; then nothing has changed. */
export async function ask(question: Question): Promise<void> {
  const { text, files, previews, replaceFrom } = question;
  const before = threadStore.get();
  if (before.live) return;
  threadStore.set({
    pending: { text, pictures: previews },
    live: newLive("sending", null, performance.now()),
    error: null,
  });
  let made: Conversation | null = null;
  try {
    if (before.conversation === null) made = await newConversation(question.postText);
    const conversation = before.conversation ?? (made as Conversation);
    const posted = await call<Posted>("POST", `/api/conversations/${conversation.id}/messages`, {
      text,
      file_ids: files.map((file) => file.id),
      ...(replaceFrom ? { replace_from: replaceFrom } : {}),
    });
    take(conversation, posted, replaceFrom);
    if (replaceFrom) notifyUndo(conversation.id, words().thread.resent);
  } catch (error) {
    threadStore.set({ pending: null, live: null });
    if (made !== null) await takeAway(made.id);
    throw error;
  }
}

/** Remove a chat whose first question was refused, so that the draft is where it was and no empty chat is left. */
async function takeAway(id: string): Promise<void> {
  if (threadStore.get().id === id) {
    await openThread(null);
    go({ name: "chat", id: null }, true);
  }
  await call("DELETE", `/api/conversations/${id}`).catch(() => undefined);
}

async function newConversation(postText?: string): Promise<Conversation> {
  const settings = { ...preferences.get().newChat, ...(postText ? { post_text: postText } : {}) };
  const conversation = await call<Conversation>("POST", "/api/conversations", { settings });
  threadStore.set({
    id: conversation.id,
    conversation: { ...conversation, messages: conversation.messages ?? [] },
  });
  go({ name: "chat", id: conversation.id }, true);
  return { ...conversation, messages: conversation.messages ?? [] };
}

function take(conversation: Conversation, posted: Posted, replaceFrom?: string): void {
  const { user_message, assistant_message, generation_id } = posted;
  if (threadStore.get().id !== conversation.id) return;
  const cut = replaceFrom ? conversation.messages.findIndex((message) => message.id === replaceFrom) : -1;
  const kept = cut < 0 ? conversation.messages : conversation.messages.slice(0, cut);
  const messages = [...kept, user_message, assistant_message];
  threadStore.set({
    conversation: { ...conversation, messages, running_generation_id: generation_id },
    pending: null,
  });
  follow(conversation.id, generation_id);
  void refreshHistory();
}

/** Write the last answer anew; the present one comes back by undo. */
export async function answerAgain(): Promise<void> {
  const { conversation, live } = threadStore.get();
  if (!conversation || live) return;
  threadStore.set({ live: newLive("sending", null, performance.now()) });
  try {
    const posted = await call<Partial<Posted> & { generation_id: string }>(
      "POST",
      `/api/conversations/${conversation.id}/regenerate`,
      {},
    );
    const last = conversation.messages.at(-1);
    const kept = last?.role === "assistant" ? conversation.messages.slice(0, -1) : conversation.messages;
    if (posted.assistant_message && threadStore.get().id === conversation.id) {
      const messages = [...kept, posted.assistant_message];
      threadStore.set({
        conversation: { ...conversation, messages, running_generation_id: posted.generation_id },
      });
      follow(conversation.id, posted.generation_id);
    } else {
      threadStore.set({ live: null });
      await reload(conversation.id);
    }
    notifyUndo(conversation.id, words().thread.regenerated);
  } catch (error) {
    threadStore.set({ live: null });
    notifyError(error);
  }
}

function notifyUndo(id: string, text: string): void {
  notify({ kind: "info", text, action: { label: words().thread.undoResend, run: () => void takeBack(id) } });
}

/** Bring back what the last edit or second answer replaced; a running answer is stopped for it. */
async function takeBack(id: string): Promise<void> {
  try {
    if (threadStore.get().id === id && threadStore.get().live) await stopAndWait();
    const conversation = await call<Conversation>("POST", `/api/conversations/${id}/undo`);
    if (threadStore.get().id === id) {
      leave();
      threadStore.set({ live: null });
      show(conversation);
    }
    notify({ kind: "info", text: words().thread.undone });
    void refreshHistory();
  } catch (error) {
    notifyError(error);
  }
}

/** Ask the server to stop; the answer's last event then ends it here. */
export async function stop(): Promise<void> {
  const generationId = threadStore.get().live?.generationId;
  if (!generationId) return;
  try {
    await call("POST", `/api/generations/${generationId}/stop`);
  } catch (error) {
    notifyError(error);
  }
}

async function stopAndWait(): Promise<void> {
  await stop();
  await new Promise<void>((resolve) => {
    const giveUp = setTimeout(finish, 10_000);
    const unsubscribe = threadStore.subscribe(() => threadStore.get().live === null && finish());
    function finish() {
      clearTimeout(giveUp);
      unsubscribe();
      resolve();
    }
  });
}

/** Change the settings of the open chat, or of new ones where none is open. */
export async function changeSettings(settings: ChatSettings): Promise<void> {
  const { conversation } = threadStore.get();
  // The post is this chat's alone, and no setting takes it away.
  const { post_text: _, ...common } = settings;
  preferences.set({ newChat: common });
  if (!conversation) return;
  const own = { ...common, post_text: conversation.settings.post_text ?? null };
  threadStore.set({ conversation: { ...conversation, settings: own } });
  try {
    await call("PATCH", `/api/conversations/${conversation.id}`, { settings: own });
  } catch (error) {
    notifyError(error);
  }
}

function follow(conversationId: string, generationId: string): void {
  leave();
  const controller = new AbortController();
  following = controller;
  let live = newLive("connecting", generationId, performance.now());
  let timer: ReturnType<typeof setTimeout> | undefined;
  const showNow = () => {
    timer = undefined;
    if (following === controller) threadStore.set({ live });
  };
  const showSoon = () => {
    timer ??= setTimeout(showNow, SHOW_EVERY_MS);
  };
  showNow();
  const onEvent = (wire: WireEvent) => {
    const event = { event: wire.event, data: JSON.parse(wire.data) } as GenerationEvent;
    live = { ...foldEvent(live, event, performance.now()), isBroken: false };
    if (event.event === "done" || event.event === "stopped" || event.event === "failed") {
      clearTimeout(timer);
      if (following === controller) finish(conversationId, event.data.message);
    } else showSoon();
  };
  followEvents(`/api/generations/${generationId}/events`, {
    signal: controller.signal,
    isLast: (event) => LAST_EVENTS.has(event.event),
    onEvent,
    onBroken: (isBroken) => {
      if (live.isBroken === isBroken) return;
      live = { ...live, isBroken };
      showSoon();
    },
  }).catch((error) => {
    if (following !== controller) return;
    clearTimeout(timer);
    threadStore.set({ live: null });
    if (!(error instanceof ApiError && error.status === 404)) notifyError(error);
    void reload(conversationId);
  });
}

function finish(conversationId: string, message: Message): void {
  following = null;
  const { conversation } = threadStore.get();
  if (conversation?.id !== conversationId) return;
  const t = words();
  const messages = conversation.messages.map((one) => (one.id === message.id ? message : one));
  threadStore.set({
    conversation: { ...conversation, messages, running_generation_id: null },
    live: null,
    announcement:
      message.status === "complete"
        ? t.thread.announceDone(message.text)
        : message.status === "failed"
          ? t.message.failed
          : t.thread.announceStopped,
  });
  void refreshHistory();
}
