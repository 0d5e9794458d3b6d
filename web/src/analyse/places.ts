/**
 * Where findings stand: boxes in pictures, characters of the post's words.
 * Owns: turning the server's evidence into places that can be drawn. Must not know: what is found, how it looks.
 */
import type { Box, Evidence, Spot } from "../api/reports";

export type Place =
  | { kind: "picture"; image: number; box: Box }
  /** Characters of the post's words as JavaScript counts them. */
  | { kind: "text"; start: number; end: number };

// What Python's splitlines cuts at.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are line ends there
const LINE_END = /\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]/g;

/** Give the begin of each line of a text. */
function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(LINE_END)].map((match) => match.index + match[0].length)];
}

/** Python counts whole characters, JavaScript halves of the rare ones: give the place in `text` after `count` of them. */
function offsetAfter(text: string, from: number, count: number): number {
  let at = from;
  for (let left = count; left > 0 && at < text.length; left -= 1)
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

function textPlace(text: string, { line_id, span, quote }: Spot): Place | null {
  const line = /^T(\d+)$/.exec(line_id ?? "");
  const start = line ? lineStarts(text)[Number(line[1]) - 1] : 0;
  if (span && start !== undefined) {
    const from = offsetAfter(text, start, span[0]);
    const to = offsetAfter(text, from, span[1] - span[0]);
    if (text.slice(from, to) === quote) return { kind: "text", start: from, end: to };
  }
  // The words may have been cleaned before they were judged.
  const found = quote === "" ? -1 : text.indexOf(quote);
  return found < 0 ? null : { kind: "text", start: found, end: found + quote.length };
}

/** Give the places of a piece of evidence: none where it is a whole picture or a comment. */
export function placesOf(evidence: Evidence | null | undefined, text: string): Place[] {
  if (!evidence) return [];
  const { source, image_index: image } = evidence;
  return [evidence, ...(evidence.continued ?? [])].flatMap((spot): Place[] => {
    if (source === "post_text") {
      const place = textPlace(text, spot);
      return place ? [place] : [];
    }
    return spot.box && image !== null ? [{ kind: "picture", image, box: spot.box }] : [];
  });
}

/** Give the places of a quotation of the post's words. */
export function quotePlaces(quote: string, text: string): Place[] {
  const place = textPlace(text, { line_id: null, span: null, quote, box: null });
  return place ? [place] : [];
}

/** The same for equal boxes of one picture, however they were rounded. */
export function boxKey(place: Place & { kind: "picture" }): string {
  return `${place.image}:${place.box.map((side) => Math.round(side / 2)).join(",")}`;
}

export interface TextPiece {
  text: string;
  start: number;
  /** Ids of the findings that these characters belong to. */
  ids: string[];
}

/** Cut the post's words where findings begin and end. */
export function piecesOf(text: string, found: { id: string; places: Place[] }[]): TextPiece[] {
  const spans = found.flatMap(({ id, places }) =>
    places.flatMap((place) => (place.kind === "text" ? [{ id, start: place.start, end: place.end }] : [])),
  );
  const cuts = [...new Set([0, text.length, ...spans.flatMap(({ start, end }) => [start, end])])].sort(
    (a, b) => a - b,
  );
  return cuts.slice(0, -1).map((start, i) => {
    const end = cuts[i + 1] ?? text.length;
    const ids = spans.filter((span) => span.start <= start && end <= span.end).map((span) => span.id);
    return { text: text.slice(start, end), start, ids: [...new Set(ids)] };
  });
}
