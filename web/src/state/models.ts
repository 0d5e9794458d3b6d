/** Models on this machine and the download of one. Owns: following a download. Must not know: what is shown of it. */
import { call } from "../api/client";
import type { Pull } from "../api/types";
import { notifyError } from "./failures";
import { refreshSession } from "./session";
import { createStore } from "./store";

const POLL_MS = 700;

export const pullStore = createStore<{ pull: Pull | null }>({ pull: null });

let timer: ReturnType<typeof setTimeout> | undefined;

/** Read how the download goes, and again while it runs. */
export async function refreshPull(): Promise<void> {
  clearTimeout(timer);
  const before = pullStore.get().pull?.state;
  try {
    const pull = await call<Pull>("GET", "/api/models/pull");
    pullStore.set({ pull });
    if (pull.state === "running") timer = setTimeout(() => void refreshPull(), POLL_MS);
    else if (before === "running") void refreshSession();
  } catch {
    timer = setTimeout(() => void refreshPull(), POLL_MS * 4);
  }
}

/** Begin or continue a download; without a name the standard model. */
export async function startPull(model?: string, source?: string): Promise<void> {
  try {
    const pull = await call<Pull>("POST", "/api/models/pull", {
      ...(model ? { model } : {}),
      ...(source ? { source } : {}),
    });
    pullStore.set({ pull });
    void refreshPull();
    void refreshSession();
  } catch (error) {
    notifyError(error);
  }
}

/** Run another model that is here. */
export async function runModel(model: string): Promise<void> {
  try {
    await call("POST", "/api/models/use", { model });
  } catch (error) {
    notifyError(error);
  }
  void refreshSession();
}

export async function cancelPull(): Promise<void> {
  try {
    await call("DELETE", "/api/models/pull");
  } catch (error) {
    notifyError(error);
  }
  void refreshPull();
  void refreshSession();
}
