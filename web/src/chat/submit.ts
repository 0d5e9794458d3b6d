/** From a draft to a question. Owns: waiting for uploads, and giving the draft back when sending fails. */
import { send } from "../api/client";
import type { Sample } from "../api/types";
import {
  addPictures,
  composerStore,
  type Draft,
  draftOf,
  setDraft,
  uploadedPictures,
} from "../state/composer";
import { notifyError } from "../state/failures";
import { ask, threadStore } from "../state/thread";

const EMPTY: Draft = { text: "", pictures: [] };

/** Send what is written; without `text` of its own it takes the draft's. */
export async function submitDraft(key: string, text?: string): Promise<void> {
  const files = await uploadedPictures(key);
  if (files === null || threadStore.get().live) return;
  const draft = draftOf(composerStore.get().drafts, key);
  const words = (text ?? draft.text).trim();
  if (words === "" && files.length === 0) return;
  setDraft(key, text === undefined ? EMPTY : { text: draft.text, pictures: [] });
  const { postText } = draft;
  try {
    const previews = draft.pictures.map((picture) => ({ url: picture.previewUrl ?? "", name: picture.name }));
    await ask({ text: words, files, previews, postText });
  } catch (error) {
    setDraft(key, { ...draft, text: draft.text || words });
    notifyError(error);
  }
}

/** Ask a sample's question about its picture, in the chat that is open. */
export async function trySample(sample: Sample, key: string): Promise<void> {
  try {
    const response = await send(sample.url);
    const blob = await response.blob();
    setDraft(key, { text: sample.question_zh, pictures: [] });
    addPictures(key, [new File([blob], `${sample.name}.png`, { type: blob.type || "image/png" })]);
    await submitDraft(key);
  } catch (error) {
    notifyError(error);
  }
}
