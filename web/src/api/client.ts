/**
 * Requests to the server that the page came from.
 * Owns: addresses relative to the page, the API key (in memory only), errors as `ApiError`. Must not know: React, state.
 */
import type { ErrorBody } from "./types";

const UNREACHABLE = "unreachable";

let apiKey: string | null = null;

/** Set the key that later requests carry; `null` forgets it. It is never written anywhere. */
export function setApiKey(key: string | null): void {
  apiKey = key;
}

/** An answer with a status from 400 on, or none at all (`code` "unreachable", `status` 0). */
export class ApiError extends Error {
  readonly code: string;
  readonly hint: string | null;
  readonly param: string | null;
  readonly retryable: boolean;
  readonly status: number;

  constructor(body: ErrorBody, status: number) {
    super(body.message);
    this.name = "ApiError";
    this.code = body.code;
    this.hint = body.hint;
    this.param = body.param;
    this.retryable = body.retryable;
    this.status = status;
  }
}

/** Give the full address of a path of the server, also where the page lies below a path of its own. */
export function addressOf(path: string): string {
  return new URL(path.replace(/^\//, ""), document.baseURI).toString();
}

export function authHeaders(): Record<string, string> {
  return apiKey === null ? {} : { Authorization: `Bearer ${apiKey}` };
}

export function unreachable(): ApiError {
  return new ApiError(
    {
      message: "The server does not answer.",
      type: "server_error",
      param: null,
      code: UNREACHABLE,
      hint: null,
      retryable: true,
    },
    0,
  );
}

/** Make an error of an answer's body; what is not our JSON (a proxy's page) becomes a plain error with the status. */
export function errorOf(body: unknown, status: number): ApiError {
  const error = (body as { error?: Partial<ErrorBody> } | null)?.error;
  return new ApiError(
    {
      message: typeof error?.message === "string" ? error.message : `HTTP ${status}`,
      type: error?.type ?? "server_error",
      param: error?.param ?? null,
      code: typeof error?.code === "string" ? error.code : `http_${status}`,
      hint: error?.hint ?? null,
      retryable: error?.retryable ?? status >= 500,
    },
    status,
  );
}

/** Send a request; gives the response if its status is below 400. Errors: `ApiError`; an abort passes through. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(addressOf(path), {
      ...init,
      headers: { ...authHeaders(), ...init.headers },
      cache: "no-store",
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw unreachable();
  }
  if (response.ok) return response;
  throw errorOf(await response.json().catch(() => null), response.status);
}

/** Send JSON (or nothing) and give the answer's JSON. */
export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const response = await send(path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    ...(signal ? { signal } : {}),
  });
  return (await response.json()) as T;
}

/** Upload one file with progress between 0 and 1. Aborting rejects with the signal's reason. */
export function upload<T>(
  path: string,
  form: FormData,
  onProgress: (done: number) => void,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", addressOf(path));
    for (const [name, value] of Object.entries(authHeaders())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () =>
      request.status < 400
        ? resolve(request.response as T)
        : reject(errorOf(request.response, request.status));
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}
