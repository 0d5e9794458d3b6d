/**
 * What the server says and takes: the generated `schema.ts` under the names that the page uses, and what that leaves open.
 * Owns: shapes alone. Must not know: how they travel, or what is shown of them.
 */
import type { ReportsByTask } from "./reports";
import type { components } from "./schema";

type Schemas = components["schemas"];

export type ErrorBody = Schemas["ErrorBody"];
export type Sample = Schemas["Sample"];
export type ConversationSummary = Schemas["ConversationLine"];
export type PictureFile = Schemas["ShownFile"];
export type Message = Omit<Schemas["Message"], "evidence"> & { evidence?: AnswerEvidence | null };
export type Posted = Omit<Schemas["AnswerBegun"], "user_message" | "assistant_message"> & {
  user_message: Message;
  assistant_message: Message;
};
export type FileObject = Schemas["FileObject"];
export type DoctorCheck = Schemas["DoctorCheck"];
export type ModelEntry = Schemas["ModelEntry"];

/** Reports of a post, as the server gives them; `api/reports.ts` says what is in each. */
export type ReportSet = Omit<Schemas["Reports"], "reports"> & { reports: ReportsByTask };

/** Settings as they are sent: what is left out is the default. */
export type ChatSettings = Partial<Schemas["ConversationSettings"]>;

export type Conversation = Omit<Schemas["Conversation"], "settings" | "messages"> & {
  settings: ChatSettings;
  messages: Message[];
};

/** Where words stand: in the post's text, or in a picture with their box in its pixels. */
export interface EvidencePlace {
  source: "post_text" | "image_text" | "image" | "code" | "comment";
  image_index: number | null;
  line_id: string | null;
  quote: string;
  box: [number, number, number, number] | null;
}

/** One number of an answer and what it rests on. */
export interface NumberMark {
  span: [number, number];
  text: string;
  state: "found" | "computed" | "unverified";
  evidence: EvidencePlace[];
  formula: string | null;
}

export interface AnswerEvidence {
  verified: "both" | "ocr" | "vlm" | "none";
  marks: NumberMark[];
  evidence: EvidencePlace[];
  suspected_instructions: EvidencePlace[];
  num_unverified: number;
}

export type ModelState =
  | "ready"
  | "starting"
  | "restarting"
  | "missing"
  | "downloading"
  | "failed"
  | "unavailable";

export type Session = Omit<Schemas["Session"], "model"> & {
  model: Omit<Schemas["SessionModel"], "state" | "is_demo"> & { state: ModelState; is_demo?: boolean };
};

/** An error inside of an answer that itself is none: `code` tells what it is, the rest is for people. */
export type ToldInside = { code?: string; message?: string; hint?: string | null };

export type Pull = Omit<Schemas["PullState"], "error"> & { error: ToldInside | null };

export type CacheFacts = { hits: number; misses: number; bytes: number };

export type SystemFacts = Omit<
  Schemas["SystemReport"],
  "model" | "engine" | "memory" | "queue" | "caches"
> & {
  model: {
    name: string | null;
    state: ModelState;
    precision: string | null;
    compute: string | null;
    context_tokens: number | null;
    load_ms: number | null;
    error: ToldInside | null;
    is_demo: boolean;
  };
  engine: { state: string; restarts: number };
  memory: { total_bytes: number | null; available_bytes: number | null; engine_bytes: number | null };
  queue: { running: number; waiting: number };
  caches: { prefix: CacheFacts | null; features: CacheFacts | null };
};

/** The events of an answer, which the document names under `x-events`. */
export type GenerationEvent =
  | { event: "queued"; data: Schemas["AnswerQueued"] }
  | { event: "progress"; data: Schemas["AnswerProgress"] }
  | { event: "text"; data: Schemas["AnswerText"] }
  | { event: "done" | "stopped" | "failed"; data: { message: Message } };

export interface Imported {
  num_conversations: number;
  num_skipped: number;
  conversation_ids: string[];
}
