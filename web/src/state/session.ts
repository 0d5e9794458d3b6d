/**
 * Who is asking, which model answers, and whether the server is there.
 * Owns: GET /api/session, again while something changes, and the key dialog's state. Must not know: chats.
 */
import { ApiError, call, setApiKey } from "../api/client";
import type { Session } from "../api/types";
import { preferences } from "./preferences";
import { createStore } from "./store";

interface SessionState {
  session: Session | null;
  isOffline: boolean;
  /** The server wants a key and has none that it accepts. */
  needsKey: boolean;
  isKeyWrong: boolean;
}

const CHANGING_MS = 1_500;
const STEADY_MS = 30_000;

export const sessionStore = createStore<SessionState>({
  session: null,
  isOffline: false,
  needsKey: false,
  isKeyWrong: false,
});

let timer: ReturnType<typeof setTimeout> | undefined;

/** Ask now, and again: soon while the model or the server is on its way, else now and then. */
export async function refreshSession(): Promise<void> {
  clearTimeout(timer);
  try {
    const session = await call<Session>("GET", "/api/session");
    const needsKey = session.auth_required && session.owner === null;
    sessionStore.set({ session, isOffline: false, needsKey });
    rememberDemo(session);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401)
      sessionStore.set({ needsKey: true, isOffline: false });
    else sessionStore.set({ isOffline: true });
  }
  const { session, isOffline } = sessionStore.get();
  const isSteady =
    !isOffline && session !== null && ["ready", "missing", "failed"].includes(session.model.state);
  clearTimeout(timer);
  timer = setTimeout(() => void refreshSession(), isSteady ? STEADY_MS : CHANGING_MS);
}

function rememberDemo({ model }: Session): void {
  const { demoModels } = preferences.get();
  if (model.is_demo && model.name && !demoModels.includes(model.name))
    preferences.set({ demoModels: [...demoModels, model.name] });
}

/** Use a key from now on, kept in memory only. Resolves to whether the server accepts it. */
export async function useKey(key: string): Promise<boolean> {
  setApiKey(key);
  await refreshSession();
  const isAccepted = !sessionStore.get().needsKey;
  if (!isAccepted) setApiKey(null);
  sessionStore.set({ isKeyWrong: !isAccepted });
  return isAccepted;
}

/** Call when any answer was 401: the key is gone or was withdrawn. */
export function askForKey(): void {
  sessionStore.set({ needsKey: true });
}

export function isModelReady(): boolean {
  return sessionStore.get().session?.model.state === "ready";
}
