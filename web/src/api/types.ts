/** What the server says and takes. Owns: shapes alone. Must not know: how they travel, or what is shown of them. */

export type ModelState =
  | "ready"
  | "starting"
  | "restarting"
  | "missing"
  | "downloading"
  | "failed"
  | "unavailable";

export interface ErrorBody {
  message: string;
  type: string;
  param: string | null;
  code: string;
  hint: string | null;
  retryable: boolean;
}

export interface Sample {
  name: string;
  title_zh: string;
  title_en: string;
  question_zh: string;
  url: string;
}

export interface Session {
  auth_required: boolean;
  owner: string | null;
  scopes: string[];
  version: string;
  model: { name: string | null; state: ModelState; is_demo?: boolean };
  limits: {
    max_upload_bytes: number;
    max_pictures_per_message: number;
    max_text_chars: number;
    max_tokens: number;
  };
  defaults: {
    max_tokens: number;
    temperature: number;
    max_image_tokens: number | null;
    min_rounds: number;
  };
  /** A small demonstration model came with the installation. */
  demo_available?: boolean;
  samples: Sample[];
}

export interface ChatSettings {
  max_tokens?: number | null;
  temperature?: number | null;
  max_image_tokens?: number | null;
  min_rounds?: number | null;
  system?: string | null;
}

export interface ConversationSummary {
  id: string;
  title: string;
  created_at: string;
  updated_at: string;
  num_messages: number;
  thumbnail_file_id: string | null;
  running_generation_id: string | null;
  snippet: string | null;
}

export interface PictureFile {
  id: string;
  width_px: number;
  height_px: number;
  filename: string;
}

export type MessageStatus = "complete" | "running" | "stopped" | "failed" | "interrupted";

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  picture_tokens: number;
}

export interface SeenPicture {
  grid: number[];
  tokens: number;
  origin: string;
}

export interface Message {
  id: string;
  role: "user" | "assistant";
  text: string;
  files: PictureFile[];
  created_at: string;
  status: MessageStatus;
  finish_reason: string | null;
  stopped_by: string | null;
  error: ErrorBody | null;
  usage: Usage | null;
  timings_ms: Record<string, number> | null;
  pictures: SeenPicture[] | null;
  dropped_rounds: number;
  generation_id: string | null;
  model: string | null;
}

export interface Conversation {
  id: string;
  title: string;
  settings: ChatSettings;
  created_at: string;
  updated_at: string;
  messages: Message[];
  running_generation_id: string | null;
}

export interface Posted {
  user_message: Message;
  assistant_message: Message;
  generation_id: string;
}

export interface FileObject {
  id: string;
  bytes: number;
  filename: string;
  kandong: { width_px: number; height_px: number; num_tokens: number | null };
}

export type GenerationEvent =
  | { event: "queued"; data: { position: number; predicted_wait_ms: number | null } }
  | {
      event: "progress";
      data: {
        stage: "vision" | "prefill";
        num_done: number;
        num_total: number;
        picture_index: number | null;
        num_pictures: number;
      };
    }
  | { event: "text"; data: { text: string; num_tokens?: number } }
  | { event: "done" | "stopped" | "failed"; data: { message: Message } };

export interface CacheFacts {
  hits: number;
  misses: number;
  bytes: number;
}

export interface SystemFacts {
  version: string;
  versions: Record<string, string>;
  model: {
    name: string | null;
    state: ModelState;
    precision: string | null;
    compute: string | null;
    context_tokens: number | null;
    load_ms: number | null;
    error: ErrorBody | string | null;
    is_demo: boolean;
  };
  engine: { state: string; restarts: number };
  memory: { total_bytes: number | null; available_bytes: number | null; engine_bytes: number | null };
  queue: { running: number; waiting: number };
  caches: { prefix: CacheFacts | null; features: CacheFacts | null };
  uptime_s: number;
  disk_free_bytes: number;
}

export interface DoctorCheck {
  name: string;
  status: "ok" | "warn" | "fail";
  message: string;
  hint: string | null;
}

export interface ModelEntry {
  name: string;
  state: "installed" | "partial" | "available";
  bytes: number | null;
  is_current: boolean;
  is_demo: boolean;
}

export interface Pull {
  state: "idle" | "running" | "done" | "failed" | "cancelled";
  model: string | null;
  file: string | null;
  done_bytes: number;
  total_bytes: number | null;
  bytes_per_s: number | null;
  error: ErrorBody | string | null;
}

export interface Imported {
  num_conversations: number;
  num_skipped: number;
  conversation_ids: string[];
}
