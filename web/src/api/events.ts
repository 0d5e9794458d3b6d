/**
 * Server-sent events over fetch, which unlike EventSource can carry a key.
 * Owns: the wire format, and coming back after a broken connection from the last event seen. Must not know: what events mean.
 */
import { ApiError, send, unreachable } from "./client";

export interface WireEvent {
  id: string | null;
  event: string;
  data: string;
}

/** Cuts a stream of text into events; a chunk may end anywhere, also between CR and LF. */
export class EventParser {
  private rest = "";
  private id: string | null = null;
  private event = "message";
  private data: string[] = [];
  private isAfterCr = false;

  /** Give the events that this chunk completes. */
  push(chunk: string): WireEvent[] {
    const events: WireEvent[] = [];
    let text = chunk;
    if (this.isAfterCr && text.startsWith("\n")) text = text.slice(1);
    if (chunk !== "") this.isAfterCr = chunk.endsWith("\r");
    const lines = (this.rest + text).split(/\r\n|\n|\r/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) events.push({ id: this.id, event: this.event, data: this.data.join("\n") });
        this.event = "message";
        this.data = [];
      } else if (!line.startsWith(":")) {
        this.field(line);
      }
    }
    return events;
  }

  private field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") this.id = value;
    else if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
  }
}

/** Read one connection to its end; with a `body` it is a POST of JSON. Errors: `ApiError`. */
export async function* readEvents(
  path: string,
  signal: AbortSignal,
  body?: unknown,
): AsyncGenerator<WireEvent> {
  const accept = { Accept: "text/event-stream" };
  const asked: RequestInit =
    body === undefined
      ? { signal, headers: accept }
      : {
          signal,
          method: "POST",
          body: JSON.stringify(body),
          headers: { ...accept, "Content-Type": "application/json" },
        };
  const response = await send(path, asked);
  if (!response.body) throw unreachable();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

export interface FollowOptions {
  signal: AbortSignal;
  /** Whether an event is the last one; without it the stream is opened again. */
  isLast: (event: WireEvent) => boolean;
  onEvent: (event: WireEvent) => void;
  /** The connection broke (true) or is there again (false). */
  onBroken?: (isBroken: boolean) => void;
  wait?: (ms: number) => Promise<void>;
}

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8_000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Follow a stream until its last event, across broken connections: `?after=` names the last event seen, so nothing is
 * read twice. Gives up only on an answer that says so (4xx). Errors: `ApiError`; returns quietly when aborted.
 */
export async function followEvents(path: string, options: FollowOptions): Promise<void> {
  let after = "0";
  let waitMs = FIRST_WAIT_MS;
  while (!options.signal.aborted) {
    try {
      for await (const event of readEvents(`${path}?after=${encodeURIComponent(after)}`, options.signal)) {
        options.onBroken?.(false);
        waitMs = FIRST_WAIT_MS;
        if (event.id !== null) after = event.id;
        options.onEvent(event);
        if (options.isLast(event)) return;
      }
    } catch (error) {
      if (options.signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429)
        throw error;
    }
    if (options.signal.aborted) return;
    options.onBroken?.(true);
    await (options.wait ?? sleep)(waitMs);
    waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
  }
}
