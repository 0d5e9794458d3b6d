import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ReportSet } from "../api/types";
import { analysisStore, askAboutPost, foldProgress, newPost, runAnalysis, stopAnalysis } from "./analysis";
import { composerStore, draftOf, POST_KEY, setDraft, setText } from "./composer";
import {
  chosenTasks,
  fingerprint,
  giftOf,
  isPriceWrong,
  NO_FACTS,
  postStore,
  productOf,
  requestOf,
  setFact,
} from "./post";
import { preferences } from "./preferences";
import { routeStore } from "./route";

const SET = {
  id: "report-0123456789ab",
  object: "kandong.reports",
  created_at: 1_800_000_000,
  reports: { moderate: { task: "moderate", result: { suggestion: "pass" } } },
} as unknown as ReportSet;
const FILE = { id: "file-1", width_px: 10, height_px: 20, filename: "a.png" };
const PICTURE = {
  key: "k",
  name: "a.png",
  previewUrl: null,
  source: null,
  progress: 1,
  file: FILE,
  error: null,
};

function stream(...events: [string, unknown][]): Response {
  const body = events.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join("");
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

const fetched = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();

beforeEach(() => {
  vi.stubGlobal("fetch", fetched);
  preferences.set({ tasks: ["moderate"] });
  fetched.mockImplementation(() => Promise.resolve(new Response("{}")));
  newPost();
  fetched.mockReset();
});

afterEach(() => vi.unstubAllGlobals());

test("facts become what the server takes, and empty ones nothing", () => {
  expect(productOf(NO_FACTS)).toBeNull();
  const facts = { ...NO_FACTS, price: " 39.9 ", gifts: "小碗×2、勺子, 杯 x 1个", certificates: "A1\nB2" };
  expect(productOf(facts)).toEqual({
    price: "39.9",
    gifts: [{ name: "小碗", quantity: "2" }, { name: "勺子" }, { name: "杯", quantity: "1" }],
    certificates: ["A1", "B2"],
  });
  expect(giftOf("3合1咖啡")).toEqual({ name: "3合1咖啡" });
  expect(["", "39.9", "1000000000"].map(isPriceWrong)).toEqual([false, false, false]);
  expect(["八十", "-1", "1e3", "1000000001", "1.2.3"].every(isPriceWrong)).toBe(true);
});

test("all tasks but a question of one's own are chosen until the reader chooses", () => {
  expect(chosenTasks(null)).toEqual(["moderate", "extract", "sentiment", "describe", "read"]);
  expect(chosenTasks(["ask", "read", "dance"])).toEqual(["ask", "read"]);
});

test("the request holds what was written, and its print changes with it", () => {
  setText(POST_KEY, "买一送一");
  postStore.set({ comments: "好\n\n 不好 ", platform: "xhs", question: "多少钱" });
  const before = fingerprint();
  expect(requestOf(["file-1"])).toEqual({
    post: { text: "买一送一", pictures: ["file-1"], comments: ["好", "不好"], platform: "xhs" },
    tasks: ["moderate"],
  });
  setFact("price", "5");
  expect(fingerprint()).not.toBe(before);
  preferences.set({ tasks: ["moderate", "ask"] });
  expect(requestOf([])).toMatchObject({ question: "多少钱", post: { product: { price: "5" } } });
});

test("a task's progress goes on and never back", () => {
  const event = { task: "read" as const, num_done: 0, num_total: 2 };
  let progress = foldProgress({}, { ...event, stage: "reading" });
  progress = foldProgress(progress, { ...event, stage: "writing", num_done: 7, num_total: null });
  expect(foldProgress(progress, { ...event, stage: "vision" })).toBe(progress);
  expect(progress.read).toEqual({ stage: "writing", numDone: 7, numTotal: null });
});

test("a run shows progress, ends with the report, and is kept for the next loading", async () => {
  setDraft(POST_KEY, { text: "好", pictures: [PICTURE] });
  const progress = { task: "moderate", stage: "checking", num_done: 0, num_total: null };
  fetched.mockResolvedValue(stream(["progress", progress], ["done", SET]));
  const seen: unknown[] = [];
  const unsubscribe = analysisStore.subscribe(() =>
    seen.push(analysisStore.get().run?.progress.moderate?.stage),
  );
  await runAnalysis();
  unsubscribe();
  expect(seen).toContain("checking");
  const { run, shown } = analysisStore.get();
  expect(run).toBeNull();
  expect(shown).toMatchObject({ text: "好", files: [FILE], changes: null, print: fingerprint() });
  expect(JSON.parse(String(fetched.mock.calls[0]?.[1].body))).toMatchObject({
    post: { pictures: ["file-1"] },
    stream: true,
  });
  expect(JSON.parse(sessionStorage.getItem("kandong.report") ?? "").set.id).toBe(SET.id);
});

test.each([
  [
    "the server says so",
    () => stream(["failed", { error: { message: "x", code: "out_of_memory" } }]),
    "out_of_memory",
  ],
  ["the connection ends", () => stream(), "unreachable"],
  ["it is refused", () => new Response('{"error":{"code":"queue_full"}}', { status: 429 }), "queue_full"],
])("a run fails when %s, and the input is still there", async (_, answer, code) => {
  setText(POST_KEY, "好");
  fetched.mockResolvedValue(answer());
  await runAnalysis();
  expect(analysisStore.get().run).toMatchObject({ status: "failed", error: { code } });
  expect(draftOf(composerStore.get().drafts, POST_KEY).text).toBe("好");
});

test("a run that is stopped leaves what was shown", async () => {
  setText(POST_KEY, "好");
  fetched.mockResolvedValueOnce(stream(["done", SET]));
  await runAnalysis();
  fetched.mockImplementationOnce(
    (_, init) =>
      new Promise((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(new Error("x")))),
  );
  const running = runAnalysis();
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledTimes(2));
  stopAnalysis();
  await running;
  expect(analysisStore.get()).toMatchObject({ run: null, shown: { set: SET } });
});

test("files go with the post once, unless a chat has taken them along", async () => {
  fetched.mockImplementation((url) =>
    Promise.resolve(String(url).includes("reports") ? stream(["done", SET]) : new Response("{}")),
  );
  const deleted = () => fetched.mock.calls.filter(([, init]) => init.method === "DELETE").length;
  setDraft(POST_KEY, { text: "好", pictures: [PICTURE] });
  await runAnalysis();
  const { shown } = analysisStore.get();
  if (shown) askAboutPost(shown);
  expect(routeStore.get().route).toEqual({ name: "chat", id: null });
  expect(draftOf(composerStore.get().drafts, "new")).toMatchObject({
    postText: "好",
    pictures: [{ file: FILE }],
  });
  newPost();
  expect(deleted()).toBe(0);
  setDraft("new", { text: "", pictures: [] });
  setDraft(POST_KEY, { text: "好", pictures: [PICTURE] });
  await runAnalysis();
  newPost();
  expect(deleted()).toBe(1);
});
