/**
 * Stored pictures as addresses that an <img> can show.
 * Owns: fetching with the key where one is needed, and the blobs made of it. Must not know: chats.
 */
import { useEffect, useState } from "react";
import { addressOf, send } from "../api/client";
import { sessionStore } from "./session";
import { useStore } from "./store";

const MAX_BLOBS = 200;
const blobs = new Map<string, Promise<string>>();

/** The server's path of a stored picture. */
export function picturePath(fileId: string, size: "thumb" | "full"): string {
  return `/v1/files/${encodeURIComponent(fileId)}/content${size === "thumb" ? "?size=thumb" : ""}`;
}

async function fetchBlob(path: string): Promise<string> {
  const response = await send(path);
  return URL.createObjectURL(await response.blob());
}

function blobOf(path: string): Promise<string> {
  const known = blobs.get(path);
  if (known) return known;
  const made = fetchBlob(path);
  made.catch(() => blobs.delete(path));
  blobs.set(path, made);
  const oldest = blobs.keys().next().value;
  if (blobs.size > MAX_BLOBS && oldest !== undefined) {
    void blobs.get(oldest)?.then(URL.revokeObjectURL, () => undefined);
    blobs.delete(oldest);
  }
  return made;
}

/** Give an address for a path of the server, null until there is one: <img> itself sends no key. */
export function usePictureUrl(path: string | null): string | null {
  const [found, setFound] = useState<{ path: string; url: string } | null>(null);
  const isOpen = useStore(sessionStore, (value) => value.session !== null && !value.session.auth_required);
  const mayFetch = useStore(
    sessionStore,
    (value) => value.session?.auth_required === true && !value.needsKey,
  );
  useEffect(() => {
    if (path === null || !mayFetch) return;
    let isCurrent = true;
    blobOf(path).then(
      (url) => isCurrent && setFound({ path, url }),
      () => undefined,
    );
    return () => {
      isCurrent = false;
    };
  }, [path, mayFetch]);
  if (path === null) return null;
  if (isOpen) return addressOf(path);
  return found?.path === path ? found.url : null;
}
