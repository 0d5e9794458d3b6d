/**
 * The report that is shown and the one that is being made.
 * Owns: running, progress, stopping, what changed since the last run, keeping the report while the tab lives. Must not
 * know: how any of it looks.
 */
import { ApiError, errorOf, send, unreachable } from "../api/client";
import { readEvents } from "../api/events";
import type { Task } from "../api/reports";
import type { PictureFile, ReportSet, Sample } from "../api/types";
import { type Changes, changesBetween } from "./changes";
import {
  addPictures,
  clearDraft,
  composerStore,
  draftKey,
  draftOf,
  fileHolders,
  POST_KEY,
  releaseFiles,
  setDraft,
  uploadedPictures,
} from "./composer";
import { notifyError } from "./failures";
import { clearPost, fingerprint, isPostEmpty, requestOf } from "./post";
import { preferences } from "./preferences";
import { go } from "./route";
import { saveFile } from "./saving";
import { askForKey } from "./session";
import { createStore } from "./store";

export type Stage = "waiting" | "reading" | "vision" | "prefill" | "writing" | "checking" | "done";

export interface TaskProgress {
  stage: Stage;
  numDone: number;
  numTotal: number | null;
}

export interface Run {
  status: "uploading" | "running" | "failed";
  tasks: Task[];
  progress: Partial<Record<Task, TaskProgress>>;
  startedMs: number;
  error: unknown;
}

/** A finished report with the input that it is about. */
export interface Shown {
  set: ReportSet;
  print: string;
  text: string;
  files: PictureFile[];
  changes: Changes | null;
}

interface AnalysisState {
  run: Run | null;
  shown: Shown | null;
  /** Counts finished runs, so that each is announced once. */
  numFinished: number;
}

const PLACE = "kandong.report";

export const analysisStore = createStore<AnalysisState>({ run: null, shown: readStored(), numFinished: 0 });
fileHolders.push(() => analysisStore.get().shown?.files.map((file) => file.id) ?? []);

let running: AbortController | null = null;

function readStored(): Shown | null {
  try {
    const stored = JSON.parse(sessionStorage.getItem(PLACE) ?? "null") as Shown | null;
    return stored && typeof stored.set.reports === "object" && Array.isArray(stored.files) ? stored : null;
  } catch {
    return null;
  }
}

function keep(shown: Shown | null): void {
  try {
    if (shown === null) sessionStorage.removeItem(PLACE);
    else sessionStorage.setItem(PLACE, JSON.stringify(shown));
  } catch {
    // Too large for the browser's store: the report then lives as long as the page.
  }
}

/** Make the report of the present input; a run under way is given up for it. */
export async function runAnalysis(): Promise<void> {
  if (isPostEmpty()) return;
  running?.abort();
  const controller = new AbortController();
  running = controller;
  const { tasks } = requestOf([]);
  const isCurrent = () => running === controller;
  const change = (fields: Partial<Run>) => {
    const { run } = analysisStore.get();
    if (isCurrent() && run) analysisStore.set({ run: { ...run, ...fields } });
  };
  analysisStore.set({
    run: { status: "uploading", tasks, progress: {}, startedMs: performance.now(), error: null },
  });
  try {
    const files = await uploadedPictures(POST_KEY);
    if (!isCurrent()) return;
    if (files === null) {
      // Each failed upload says so beside its picture.
      analysisStore.set({ run: null });
      return;
    }
    const request = requestOf(files.map((file) => file.id));
    const print = fingerprint();
    const { text } = draftOf(composerStore.get().drafts, POST_KEY);
    change({ status: "running" });
    const set = await followRun(request, controller.signal, change);
    if (isCurrent()) finish({ set, print, text, files, changes: null });
  } catch (error) {
    if (!isCurrent() || controller.signal.aborted) return;
    change({ status: "failed", error });
    if (error instanceof ApiError && error.status === 401) askForKey();
  }
}

async function followRun(
  request: object,
  signal: AbortSignal,
  change: (fields: Partial<Run>) => void,
): Promise<ReportSet> {
  for await (const { event, data } of readEvents("/v1/reports", signal, { ...request, stream: true })) {
    const value = JSON.parse(data);
    if (event === "done") return value as ReportSet;
    if (event === "failed") throw errorOf(value, 200);
    if (event === "progress")
      change({ progress: foldProgress(analysisStore.get().run?.progress ?? {}, value) });
  }
  throw unreachable();
}

interface WireProgress {
  task: Task;
  stage: Stage;
  num_done: number;
  num_total: number | null;
}

/** Give the progress after an event; a task never goes back to an earlier stage. */
export function foldProgress(progress: Run["progress"], event: WireProgress): Run["progress"] {
  const stages: Stage[] = ["waiting", "reading", "vision", "prefill", "writing", "checking", "done"];
  const before = progress[event.task];
  if (before && stages.indexOf(event.stage) < stages.indexOf(before.stage)) return progress;
  return {
    ...progress,
    [event.task]: { stage: event.stage, numDone: event.num_done, numTotal: event.num_total },
  };
}

function finish(shown: Shown): void {
  running = null;
  const before = analysisStore.get();
  const changes = before.shown ? changesBetween(before.shown.set.reports, shown.set.reports) : null;
  const whole = { ...shown, changes };
  analysisStore.set({ run: null, shown: whole, numFinished: before.numFinished + 1 });
  keep(whole);
  if (before.shown) releaseFiles(before.shown.files.map((file) => file.id));
}

/** End the run under way; the server stops with it. */
export function stopAnalysis(): void {
  running?.abort();
  running = null;
  analysisStore.set({ run: null });
}

/** Begin anew with an empty post. */
export function newPost(): void {
  stopAnalysis();
  const { pictures } = draftOf(composerStore.get().drafts, POST_KEY);
  const drafted = new Set(pictures.map((picture) => picture.file?.id));
  const files = analysisStore.get().shown?.files.map((file) => file.id) ?? [];
  analysisStore.set({ shown: null });
  keep(null);
  clearDraft(POST_KEY);
  releaseFiles(files.filter((id) => !drafted.has(id)));
  clearPost();
}

/** Put a sample into the post and look at it. */
export async function analyseSample(sample: Sample): Promise<void> {
  try {
    const response = await send(sample.url);
    const blob = await response.blob();
    newPost();
    addPictures(POST_KEY, [new File([blob], `${sample.name}.png`, { type: blob.type || "image/png" })]);
    await runAnalysis();
  } catch (error) {
    notifyError(error);
  }
}

/** Open a new chat about the post: its uploaded pictures as they are, so that all that was computed of them is found. */
export function askAboutPost(shown: Shown): void {
  const pictures = shown.files.map((file) => ({
    key: `${file.id}-chat`,
    name: file.filename,
    previewUrl: null,
    source: null,
    progress: 1,
    file,
    error: null,
  }));
  const postText = shown.text.trim();
  setDraft(draftKey(null), { text: "", pictures, ...(postText ? { postText } : {}) });
  go({ name: "chat", id: null });
}

/** The report as the service gave it, as a file. */
export function saveJson(shown: Shown): void {
  const text = `${JSON.stringify(shown.set, null, 2)}\n`;
  saveFile(new Blob([text], { type: "application/json" }), `${nameOf(shown)}.json`);
}

export async function saveExcel(shown: Shown): Promise<void> {
  const { reports } = shown.set;
  try {
    const response = await send("/v1/reports/export", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ reports, name: titleOf(shown), language: preferences.get().language }),
    });
    saveFile(await response.blob(), `${nameOf(shown)}.xlsx`);
  } catch (error) {
    notifyError(error);
  }
}

function titleOf(shown: Shown): string {
  const words = shown.text.trim().split("\n")[0] ?? "";
  return (words || shown.files[0]?.filename || "post").slice(0, 60);
}

function nameOf(shown: Shown): string {
  const day = new Date(shown.set.created_at * 1000).toISOString().slice(0, 10);
  return `kandong-report-${day}-${shown.set.id.slice(-6)}`;
}
