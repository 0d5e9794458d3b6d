import { afterEach, expect, test, vi } from "vitest";
import { EventParser, followEvents, type WireEvent } from "./events";

const TEXT =
  'id: 1\nevent: text\ndata: {"text":"你好"}\n\n: waiting\n\nid: 2\r\nevent: done\r\ndata: a\r\ndata: b\r\n\r\n';
const EVENTS = [
  { id: "1", event: "text", data: '{"text":"你好"}' },
  { id: "2", event: "done", data: "a\nb" },
];

test("events are the same however the stream is cut", () => {
  for (let size = 1; size <= TEXT.length; size += 1) {
    const parser = new EventParser();
    const found: WireEvent[] = [];
    for (let at = 0; at < TEXT.length; at += size) found.push(...parser.push(TEXT.slice(at, at + size)));
    expect(found).toEqual(EVENTS);
  }
});

function streamOf(text: string): Response {
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  return new Response(body, { status: 200 });
}

afterEach(() => vi.unstubAllGlobals());

test("a broken stream goes on behind the last event seen", async () => {
  const asked: string[] = [];
  const answers = [
    () => streamOf('id: 1\nevent: text\ndata: {"text":"甲"}\n\nid: 2\nevent: te'),
    () => Promise.reject(new TypeError("network")),
    () => streamOf('id: 2\nevent: text\ndata: {"text":"乙"}\n\nid: 3\nevent: done\ndata: {}\n\n'),
  ];
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(new URL(url).search);
    return answers.shift()?.();
  });
  const seen: string[] = [];
  const broken: boolean[] = [];
  await followEvents("/api/generations/g/events", {
    signal: new AbortController().signal,
    isLast: (event) => event.event === "done",
    onEvent: (event) => seen.push(event.id ?? ""),
    onBroken: (isBroken) => broken.push(isBroken),
    wait: async () => undefined,
  });
  expect(asked).toEqual(["?after=0", "?after=1", "?after=1"]);
  expect(seen).toEqual(["1", "2", "3"]);
  expect(broken).toEqual([false, true, true, false, false]);
});

test("an answer that says no ends it with the server's error", async () => {
  const body = {
    error: { message: "gone", type: "x", param: null, code: "not_found", hint: null, retryable: false },
  };
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify(body), { status: 404 }));
  const following = followEvents("/x", {
    signal: new AbortController().signal,
    isLast: () => false,
    onEvent: () => undefined,
  });
  await expect(following).rejects.toMatchObject({ code: "not_found", status: 404 });
});

test("leaving is no error and asks no more", async () => {
  const controller = new AbortController();
  const fetched = vi.fn(async () => streamOf("id: 1\nevent: text\ndata: {}\n\n"));
  vi.stubGlobal("fetch", fetched);
  await followEvents("/x", {
    signal: controller.signal,
    isLast: () => false,
    onEvent: () => controller.abort(),
  });
  expect(fetched).toHaveBeenCalledTimes(1);
});
