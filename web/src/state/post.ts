/**
 * The post of 分析 and what is wanted to be known of it.
 * Owns: everything but words and pictures, which are the draft `POST_KEY`; the request made of it all; keeping it for the
 * next visit. Must not know: reports.
 */
import { TASKS, type Task } from "../api/reports";
import { composerStore, draftOf, POST_KEY } from "./composer";
import { preferences } from "./preferences";
import { createStore } from "./store";

/** What the shop says of its product, as it is written into the fields. */
export interface Facts {
  name: string;
  price: string;
  listPrice: string;
  gifts: string;
  specification: string;
  certificates: string;
}

export interface PostInput {
  comments: string;
  platform: string;
  facts: Facts;
  question: string;
}

export const NO_FACTS: Facts = {
  name: "",
  price: "",
  listPrice: "",
  gifts: "",
  specification: "",
  certificates: "",
};
const EMPTY: PostInput = { comments: "", platform: "", facts: NO_FACTS, question: "" };
const PLACE = "kandong.post";
const MAX_COMMENTS = 200;

export const postStore = createStore<PostInput>(readStored());

function readStored(): PostInput {
  try {
    const stored = JSON.parse(localStorage.getItem(PLACE) ?? "{}") as Partial<PostInput>;
    const text = (value: unknown) => (typeof value === "string" ? value : "");
    const facts = Object.fromEntries(
      Object.keys(NO_FACTS).map((name) => [name, text(stored.facts?.[name as keyof Facts])]),
    ) as unknown as Facts;
    return {
      comments: text(stored.comments),
      platform: text(stored.platform),
      facts,
      question: text(stored.question),
    };
  } catch {
    return EMPTY;
  }
}

function storeNow(): void {
  try {
    localStorage.setItem(PLACE, JSON.stringify(postStore.get()));
  } catch {
    // A full or closed store loses only this draft.
  }
}

postStore.subscribe(storeNow);

export function setFact(name: keyof Facts, value: string): void {
  postStore.set(({ facts }) => ({ facts: { ...facts, [name]: value } }));
}

export function clearPost(): void {
  postStore.set(EMPTY);
}

/** The tasks that are chosen, in the order in which they are shown. */
export function chosenTasks(stored: string[] | null = preferences.get().tasks): Task[] {
  return TASKS.filter((task) => (stored === null ? task !== "ask" : stored.includes(task)));
}

export function toggleTask(task: Task): void {
  const now = chosenTasks();
  preferences.set({ tasks: now.includes(task) ? now.filter((one) => one !== task) : [...now, task] });
}

function rows(text: string, separator: RegExp): string[] {
  return text
    .split(separator)
    .map((row) => row.trim())
    .filter((row) => row !== "");
}

/** 小碗×2 → name and quantity; without a number at the end only the name. */
export function giftOf(text: string): { name: string; quantity?: string } {
  const match = /^(.*?)\s*[×xX*]\s*(\d+)\s*\D?$/.exec(text);
  return match?.[1] && match[2] ? { name: match[1].trim(), quantity: match[2] } : { name: text };
}

/** The shop's facts as the server takes them, or null where nothing is written. */
export function productOf(facts: Facts): Record<string, unknown> | null {
  const product: Record<string, unknown> = {};
  if (facts.name.trim()) product.name = facts.name.trim();
  if (facts.price.trim()) product.price = facts.price.trim();
  if (facts.listPrice.trim()) product.list_price = facts.listPrice.trim();
  if (facts.specification.trim()) product.specification = facts.specification.trim();
  const gifts = rows(facts.gifts, /[\n,，、;；]/);
  if (gifts.length > 0) product.gifts = gifts.map(giftOf);
  const certificates = rows(facts.certificates, /[\n,，、;；]/);
  if (certificates.length > 0) product.certificates = certificates;
  return Object.keys(product).length > 0 ? product : null;
}

/** What is wrong with a price, or null: the server takes plain numbers from 0 to a thousand million. */
export function isPriceWrong(text: string): boolean {
  const value = text.trim();
  return value !== "" && (!/^\d+(\.\d+)?$/.test(value) || Number(value) > 1e9);
}

export interface ReportRequest {
  post: Record<string, unknown>;
  tasks: Task[];
  question?: string;
}

/** The request that the present input makes, with the given uploaded files. */
export function requestOf(fileIds: string[]): ReportRequest {
  const { comments, platform, facts, question } = postStore.get();
  const { text } = draftOf(composerStore.get().drafts, POST_KEY);
  const tasks = chosenTasks();
  const product = productOf(facts);
  const said = rows(comments, /\n/).slice(0, MAX_COMMENTS);
  return {
    post: {
      text,
      pictures: fileIds,
      ...(said.length > 0 ? { comments: said } : {}),
      ...(platform ? { platform } : {}),
      ...(product ? { product } : {}),
    },
    tasks,
    ...(tasks.includes("ask") && question.trim() ? { question: question.trim() } : {}),
  };
}

/** The same request for the same input; pictures that are still on their way count by what will become of them. */
export function fingerprint(): string {
  const { pictures } = draftOf(composerStore.get().drafts, POST_KEY);
  return JSON.stringify(requestOf(pictures.map((picture) => picture.file?.id ?? picture.key)));
}

export function isPostEmpty(): boolean {
  const { text, pictures } = draftOf(composerStore.get().drafts, POST_KEY);
  return text.trim() === "" && pictures.length === 0;
}
