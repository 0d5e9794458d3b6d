/**
 * What is about to be asked: words and pictures of each chat's draft.
 * Owns: uploads with progress, limits, drafts that outlive the tab. Must not know: sending.
 */
import { call, upload } from "../api/client";
import type { FileObject, PictureFile } from "../api/types";
import { words } from "../i18n";
import { tell } from "./failures";
import { notify } from "./notices";
import { sessionStore } from "./session";
import { createStore } from "./store";

export interface DraftPicture {
  key: string;
  name: string;
  /** A blob of this page, or null for a picture that an earlier visit uploaded. */
  previewUrl: string | null;
  source: File | null;
  /** Between 0 and 1 while uploading. */
  progress: number;
  file: PictureFile | null;
  error: string | null;
}

export interface Draft {
  text: string;
  pictures: DraftPicture[];
  /** Words of the post that a new chat will be about. */
  postText?: string;
}

const EMPTY: Draft = { text: "", pictures: [] };
const PLACE = "kandong.drafts";
const MAX_DRAFTS = 30;
const MIB = 2 ** 20;

/** Drafts by chat; the one of a new chat lies under "new". */
export const composerStore = createStore<{ drafts: Record<string, Draft> }>({ drafts: readStored() });

const uploads = new Map<string, { done: Promise<void>; abort: AbortController }>();

/** The draft of 分析: its text is the post's. */
export const POST_KEY = "post";

/** Others that still show uploaded files: what one draft lets go is not deleted while they do. */
export const fileHolders: (() => string[])[] = [];

export function draftKey(chatId: string | null): string {
  return chatId ?? "new";
}

export function draftOf(drafts: Record<string, Draft>, key: string): Draft {
  return drafts[key] ?? EMPTY;
}

function readStored(): Record<string, Draft> {
  const drafts: Record<string, Draft> = {};
  try {
    const stored = JSON.parse(localStorage.getItem(PLACE) ?? "{}") as Record<
      string,
      { text: string; files: PictureFile[]; postText?: string }
    >;
    for (const [key, { text, files, postText }] of Object.entries(stored)) {
      const pictures = files.map((file) => ({
        key: file.id,
        name: file.filename,
        previewUrl: null,
        source: null,
        progress: 1,
        file,
        error: null,
      }));
      drafts[key] = { text: String(text), pictures, ...(postText ? { postText: String(postText) } : {}) };
    }
  } catch {
    return {};
  }
  return drafts;
}

let isStoringSoon = false;

function storeNow(): void {
  isStoringSoon = false;
  const kept = Object.entries(composerStore.get().drafts)
    .filter(([, draft]) => !isEmpty(draft))
    .slice(-MAX_DRAFTS)
    .map(([key, draft]) => [
      key,
      {
        text: draft.text,
        files: draft.pictures.flatMap((p) => (p.file ? [p.file] : [])),
        ...(draft.postText ? { postText: draft.postText } : {}),
      },
    ]);
  try {
    localStorage.setItem(PLACE, JSON.stringify(Object.fromEntries(kept)));
  } catch {
    // A full or closed store loses only drafts.
  }
}

composerStore.subscribe(() => {
  if (isStoringSoon) return;
  isStoringSoon = true;
  setTimeout(storeNow, 300);
});
window.addEventListener("pagehide", storeNow);

function isEmpty(draft: Draft): boolean {
  return draft.text === "" && draft.pictures.length === 0 && !draft.postText;
}

function change(key: string, next: (draft: Draft) => Draft): void {
  composerStore.set(({ drafts }) => {
    const draft = next(draftOf(drafts, key));
    const { [key]: _, ...others } = drafts;
    return {
      drafts: isEmpty(draft) ? others : { ...others, [key]: draft },
    };
  });
}

function changePicture(pictureKey: string, fields: Partial<DraftPicture>): void {
  composerStore.set(({ drafts }) => ({
    drafts: Object.fromEntries(
      Object.entries(drafts).map(([key, draft]) => [
        key,
        { ...draft, pictures: draft.pictures.map((p) => (p.key === pictureKey ? { ...p, ...fields } : p)) },
      ]),
    ),
  }));
}

export function setText(key: string, text: string): void {
  change(key, (draft) => ({ ...draft, text }));
}

export function setDraft(key: string, draft: Draft): void {
  change(key, () => draft);
}

/** Add files that were dropped, pasted or chosen; those that cannot be pictures or are too large are refused by name. */
export function addPictures(key: string, files: Iterable<File>): void {
  const t = words().composer;
  const limits = sessionStore.get().session?.limits;
  const maxPictures = limits?.max_pictures_per_message ?? 8;
  const refused = new Set<string>();
  for (const file of files) {
    const numPictures = draftOf(composerStore.get().drafts, key).pictures.length;
    if (file.type !== "" && !file.type.startsWith("image/")) refused.add(t.notPicture(file.name));
    else if (limits && file.size > limits.max_upload_bytes)
      refused.add(t.tooLarge(file.name, Math.floor(limits.max_upload_bytes / MIB)));
    else if (numPictures >= maxPictures) refused.add(t.tooMany(maxPictures));
    else addOne(key, file);
  }
  for (const text of refused) notify({ kind: "error", text });
}

function addOne(key: string, source: File): void {
  const picture: DraftPicture = {
    key: crypto.getRandomValues(new Uint32Array(2)).join("-"),
    name: source.name || "image.png",
    previewUrl: URL.createObjectURL(source),
    source,
    progress: 0,
    file: null,
    error: null,
  };
  change(key, (draft) => ({ ...draft, pictures: [...draft.pictures, picture] }));
  startUpload(picture);
}

function startUpload(picture: DraftPicture): void {
  if (!picture.source) return;
  const abort = new AbortController();
  const form = new FormData();
  form.append("purpose", "vision");
  form.append("file", picture.source, picture.name);
  changePicture(picture.key, { progress: 0, error: null });
  const done = upload<FileObject>(
    "/v1/files?warm=assist",
    form,
    (progress) => changePicture(picture.key, { progress }),
    abort.signal,
  )
    .then((found) => {
      const { width_px, height_px } = found.kandong;
      changePicture(picture.key, {
        progress: 1,
        file: { id: found.id, width_px, height_px, filename: found.filename },
      });
    })
    .catch((error) => {
      if (!abort.signal.aborted) changePicture(picture.key, { error: tell(error).text });
    })
    .finally(() => uploads.delete(picture.key));
  uploads.set(picture.key, { done, abort });
}

export function retryUpload(picture: DraftPicture): void {
  startUpload(picture);
}

export function removePicture(key: string, picture: DraftPicture): void {
  uploads.get(picture.key)?.abort.abort();
  change(key, (draft) => ({ ...draft, pictures: draft.pictures.filter((p) => p.key !== picture.key) }));
  if (picture.previewUrl) URL.revokeObjectURL(picture.previewUrl);
  if (picture.file) releaseFiles([picture.file.id]);
}

/** Delete uploaded files that no draft and no report shows any more. */
export function releaseFiles(ids: string[]): void {
  const held = new Set(fileHolders.flatMap((holder) => holder()));
  for (const draft of Object.values(composerStore.get().drafts))
    for (const { file } of draft.pictures) if (file) held.add(file.id);
  for (const id of ids) if (!held.has(id)) void call("DELETE", `/v1/files/${id}`).catch(() => undefined);
}

/** Empty a draft; its files go unless somebody else shows them. */
export function clearDraft(key: string): void {
  const { pictures } = draftOf(composerStore.get().drafts, key);
  for (const picture of pictures) removePicture(key, picture);
  setDraft(key, EMPTY);
}

/** Forget the post that a new chat would be about. */
export function dropPostText(key: string): void {
  change(key, ({ postText: _, ...draft }) => draft);
}

/** Wait for a draft's uploads; gives its pictures, or null if one failed or was taken away to nothing. */
export async function uploadedPictures(key: string): Promise<PictureFile[] | null> {
  const draft = draftOf(composerStore.get().drafts, key);
  await Promise.all(draft.pictures.map((p) => uploads.get(p.key)?.done));
  const { pictures } = draftOf(composerStore.get().drafts, key);
  const files = pictures.flatMap((p) => (p.file ? [p.file] : []));
  return files.length === pictures.length ? files : null;
}
