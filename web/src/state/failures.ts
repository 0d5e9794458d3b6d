/** Errors in the reader's words. Owns: which code is said how. Must not know: where they are shown. */
import { ApiError } from "../api/client";
import type { ErrorBody } from "../api/types";
import { words } from "../i18n";
import { notify } from "./notices";
import { askForKey } from "./session";

export interface ToldError {
  text: string;
  detail: string | null;
}

/** Say an error of the server in the page's language where its code is known, else as the server says it. */
export function tell(error: unknown): ToldError {
  const t = words().errors;
  if (typeof error === "string") return { text: error, detail: null };
  const found = error as Partial<ApiError & ErrorBody> | null;
  if (found?.code === "unreachable") return { text: t.unreachable, detail: null };
  if (typeof found?.code !== "string") return { text: t.unknown, detail: null };
  const known = t.byCode[found.code];
  if (known) return { text: known, detail: null };
  return { text: found.message ?? t.unknown, detail: found.hint ?? null };
}

/** Show an error at the page's edge; an abort is no error. */
export function notifyError(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (error instanceof ApiError && error.status === 401) askForKey();
  const { text, detail } = tell(error);
  notify({ kind: "error", text, ...(detail ? { detail } : {}) });
}
