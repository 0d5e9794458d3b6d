import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Conversation, Message } from "../api/types";
import { routeStore } from "./route";
import { ask, openThread, threadStore } from "./thread";

function message(id: string, role: "user" | "assistant", fields: Partial<Message> = {}): Message {
  return {
    id,
    role,
    text: "",
    files: [],
    created_at: "2026-01-01T00:00:00Z",
    status: "complete",
    finish_reason: null,
    stopped_by: null,
    error: null,
    usage: null,
    timings_ms: null,
    pictures: null,
    dropped_rounds: 0,
    generation_id: null,
    model: null,
    evidence: null,
    ...fields,
  };
}

const EMPTY: Conversation = {
  id: "conv_1",
  title: "",
  settings: {},
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
  messages: [],
  running_generation_id: null,
};

/** A server of a few routes; each answers with JSON, or with an event stream where it gives a string. */
function serve(routes: Record<string, () => unknown>): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const { pathname } = new URL(url);
    const key = `${init.method ?? "GET"} ${pathname}`;
    asked.push(key);
    const route = routes[key];
    if (!route) return new Response(JSON.stringify({ data: [], next_cursor: null }), { status: 200 });
    const answer = route();
    if (answer instanceof Response) return answer;
    return new Response(typeof answer === "string" ? answer : JSON.stringify(answer), { status: 200 });
  });
  return asked;
}

function event(id: number, name: string, data: unknown): string {
  return `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

beforeEach(() => openThread(null));
afterEach(() => vi.unstubAllGlobals());

test("a question makes the chat, follows the answer to its end and announces it once", async () => {
  const answer = message("msg_2", "assistant", { status: "running" });
  const done = message("msg_2", "assistant", { text: "85元" });
  serve({
    "POST /api/conversations": () => EMPTY,
    "POST /api/conversations/conv_1/messages": () => ({
      user_message: message("msg_1", "user", { text: "多少钱？" }),
      assistant_message: answer,
      generation_id: "gen_1",
    }),
    "GET /api/generations/gen_1/events": () =>
      event(1, "text", { text: "85" }) + event(2, "done", { message: done }),
  });
  const announced: string[] = [];
  const unsubscribe = threadStore.subscribe(() => announced.push(threadStore.get().announcement));
  await ask({ text: "多少钱？", files: [], previews: [] });
  await vi.waitFor(() => expect(threadStore.get().live).toBeNull());
  unsubscribe();
  expect(threadStore.get().conversation?.messages.map((m) => m.text)).toEqual(["多少钱？", "85元"]);
  expect(routeStore.get().route).toEqual({ name: "chat", id: "conv_1" });
  expect(new Set(announced.filter((text) => text.includes("85元"))).size).toBe(1);
});

test("a question that is refused leaves nothing behind", async () => {
  const error = { message: "full", type: "x", param: null, code: "queue_full", hint: null, retryable: true };
  const asked = serve({
    "POST /api/conversations": () => EMPTY,
    "POST /api/conversations/conv_1/messages": () => new Response(JSON.stringify({ error }), { status: 503 }),
  });
  await expect(ask({ text: "x", files: [], previews: [] })).rejects.toMatchObject({ code: "queue_full" });
  expect(threadStore.get()).toMatchObject({ id: null, conversation: null, pending: null, live: null });
  expect(routeStore.get().route).toEqual({ name: "chat", id: null });
  expect(asked).toContain("DELETE /api/conversations/conv_1");
});

test("reopening a chat goes on with its running answer", async () => {
  const running = message("msg_2", "assistant", { status: "running", text: "到", generation_id: "gen_9" });
  const asked = serve({
    "GET /api/conversations/conv_7": () => ({
      ...EMPTY,
      id: "conv_7",
      running_generation_id: "gen_9",
      messages: [message("msg_1", "user", { text: "写" }), running],
    }),
    "GET /api/generations/gen_9/events": () =>
      event(4, "text", { text: "到这里了" }) +
      event(5, "stopped", { message: { ...running, status: "stopped", text: "到这里了" } }),
  });
  await openThread("conv_7");
  await vi.waitFor(() => expect(threadStore.get().conversation?.messages[1]?.status).toBe("stopped"));
  expect(threadStore.get().conversation?.messages[1]?.text).toBe("到这里了");
  expect(asked).toContain("GET /api/generations/gen_9/events");
});

test("an edit takes the place of its question and of all behind it", async () => {
  const messages = [
    message("u1", "user"),
    message("a1", "assistant"),
    message("u2", "user"),
    message("a2", "assistant"),
  ];
  serve({
    "GET /api/conversations/conv_8": () => ({ ...EMPTY, id: "conv_8", messages }),
    "POST /api/conversations/conv_8/messages": () => ({
      user_message: message("u3", "user"),
      assistant_message: message("a3", "assistant", { status: "running" }),
      generation_id: "gen_3",
    }),
    "GET /api/generations/gen_3/events": () =>
      event(1, "done", { message: message("a3", "assistant", { text: "新" }) }),
  });
  await openThread("conv_8");
  await ask({ text: "改", files: [], previews: [], replaceFrom: "u2" });
  await vi.waitFor(() => expect(threadStore.get().live).toBeNull());
  expect(threadStore.get().conversation?.messages.map((m) => m.id)).toEqual(["u1", "a1", "u3", "a3"]);
});
