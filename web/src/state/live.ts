/**
 * One answer while it is being written: a generation's events folded into what is shown.
 * Owns: stages, text so far, speed. Must not know: the network, React.
 */
import type { GenerationEvent, Message } from "../api/types";

export type Stage = "sending" | "connecting" | "queued" | "reading" | "vision" | "prefill" | "writing";

export interface Live {
  generationId: string | null;
  stage: Stage;
  position: number;
  waitMs: number | null;
  pictureIndex: number;
  numPictures: number;
  /** Of the present stage, between 0 and 1; null where nothing is known. */
  done: number | null;
  text: string;
  startedMs: number;
  firstTextMs: number | null;
  /** Characters and tokens since then, without what was there when we came. */
  numNewChars: number;
  numNewTokens: number | null;
  lastTextMs: number;
  isBroken: boolean;
}

export function newLive(stage: Stage, generationId: string | null, nowMs: number): Live {
  return {
    generationId,
    stage,
    position: 0,
    waitMs: null,
    pictureIndex: 0,
    numPictures: 1,
    done: null,
    text: "",
    startedMs: nowMs,
    firstTextMs: null,
    numNewChars: 0,
    numNewTokens: null,
    lastTextMs: nowMs,
    isBroken: false,
  };
}

/** Give what is shown after an event; the last event's message replaces it all and is the caller's to take. */
export function foldEvent(live: Live, event: GenerationEvent, nowMs: number): Live {
  switch (event.event) {
    case "queued":
      return {
        ...live,
        stage: "queued",
        position: event.data.position,
        waitMs: event.data.predicted_wait_ms,
      };
    case "progress": {
      const { stage, num_done, num_total, picture_index, num_pictures } = event.data;
      return {
        ...live,
        stage,
        done: num_total > 0 ? Math.min(1, num_done / num_total) : null,
        pictureIndex: picture_index ?? live.pictureIndex,
        numPictures: Math.max(1, num_pictures),
      };
    }
    case "text": {
      const isFirst = live.firstTextMs === null;
      const tokens = event.data.num_tokens;
      return {
        ...live,
        stage: "writing",
        text: live.text + event.data.text,
        firstTextMs: live.firstTextMs ?? nowMs,
        lastTextMs: nowMs,
        numNewChars: live.numNewChars + (isFirst ? 0 : event.data.text.length),
        numNewTokens: tokens === null ? live.numNewTokens : (live.numNewTokens ?? 0) + (isFirst ? 0 : tokens),
      };
    }
    default:
      return live;
  }
}

const LEAST_MS_FOR_SPEED = 500;

/** Tokens a second where the server counts them, else characters a second; null while too little is known. */
export function speedOf(live: Live): { unit: "tokens" | "chars"; perSecond: number } | null {
  if (live.firstTextMs === null) return null;
  const forMs = live.lastTextMs - live.firstTextMs;
  if (forMs < LEAST_MS_FOR_SPEED) return null;
  const count = live.numNewTokens ?? live.numNewChars;
  return { unit: live.numNewTokens === null ? "chars" : "tokens", perSecond: (count * 1000) / forMs };
}

/** Whether a message still waits for its end. */
export function isRunning(message: Message): boolean {
  return message.status === "running";
}
