/**
 * Which finding is pointed at.
 * Owns: one lit for as long as pointer or focus is on it, one picked until it is released, the picture in view, and the
 * one finding of the list that Tab leads to.
 * Must not know: what findings are.
 */
import { createStore } from "../state/store";

/** Where the reader points: the other side then scrolls to it. */
export type Side = "list" | "board";

interface Selection {
  lit: string | null;
  picked: string | null;
  side: Side;
  picture: number;
  entry: string | null;
}

export const selectionStore = createStore<Selection>({
  lit: null,
  picked: null,
  side: "list",
  picture: 0,
  entry: null,
});

export function light(id: string | null, side: Side): void {
  const now = selectionStore.get();
  if (now.lit !== id || now.side !== side) selectionStore.set({ lit: id, side });
}

/** Pick a finding, or release it if it is the one. */
export function pick(id: string, side: Side): void {
  const { picked } = selectionStore.get();
  selectionStore.set({ picked: picked === id ? null : id, lit: id, side });
}

/** Let go; gives whether there was anything to let go of. */
export function release(): boolean {
  const { picked, lit } = selectionStore.get();
  selectionStore.set({ picked: null, lit: null });
  return picked !== null || lit !== null;
}

export function showPicture(picture: number): void {
  selectionStore.set({ picture });
}

/** Begin with another report, whose first finding is `entry`. */
export function resetSelection(entry: string | null): void {
  selectionStore.set({ lit: null, picked: null, side: "list", picture: 0, entry });
}

/** The finding that is shown as lit: what is pointed at goes before what is picked. */
export function activeOf({ lit, picked }: Selection): string | null {
  return lit ?? picked;
}
