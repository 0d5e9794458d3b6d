/**
 * Boxes over one picture, in its own coordinates, so that they follow however it is scaled.
 * Owns: shape, sign and number of each box, pointing at it by pointer and keyboard. Must not know: layers, lists.
 */
import { type KeyboardEvent, useId, useState } from "react";
import type { Box } from "../api/reports";
import { useWords } from "../i18n";
import { useStore } from "../state/store";
import type { Finding, Tone } from "./findings";
import { boxKey } from "./places";
import { activeOf, light, pick, selectionStore } from "./selection";
import { TONE_SIGNS } from "./signs";

const GRAVITY: Tone[] = ["bad", "warn", "good", "plain"];
/** Sizes on the screen, for pictures that are shown large and small. */
const LABELS = {
  large: { height: 18, sign: 7.4, font: 12 },
  small: { height: 14, sign: 6, font: 9.5 },
} as const;
const PAD_PX = 3;
const SMALL_BELOW_PX = 320;

interface BoxMark {
  key: string;
  box: Box;
  findings: Finding[];
  tone: Tone;
}

/** Put findings with the same box together; the gravest says how it looks. */
export function boxMarks(findings: Finding[], image: number): BoxMark[] {
  const marks = new Map<string, BoxMark>();
  for (const finding of findings)
    for (const place of finding.places) {
      if (place.kind !== "picture" || place.image !== image) continue;
      const key = boxKey(place);
      const mark = marks.get(key) ?? { key, box: place.box, findings: [], tone: finding.tone };
      if (!mark.findings.includes(finding)) mark.findings.push(finding);
      if (GRAVITY.indexOf(finding.tone) < GRAVITY.indexOf(mark.tone)) mark.tone = finding.tone;
      marks.set(key, mark);
    }
  return [...marks.values()];
}

export function Overlay({
  image,
  widthPx,
  heightPx,
  scale,
  findings,
  isShown,
}: {
  image: number;
  widthPx: number;
  heightPx: number;
  /** Pixels of the screen for one of the picture. */
  scale: number;
  findings: Finding[];
  isShown: (finding: Finding) => boolean;
}) {
  const t = useWords().analyse;
  const hatch = useId();
  const active = useStore(selectionStore, activeOf);
  const [entry, setEntry] = useState<string | null>(null);
  const marks = boxMarks(
    findings.filter((one) => isShown(one) || one.id === active),
    image,
  );
  const lit = boxMarks(
    findings.filter((one) => one.id === active),
    image,
  );
  const entryKey = marks.some((mark) => mark.key === entry) ? entry : (marks[0]?.key ?? null);
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no fieldset
    <svg
      className={lit.length > 0 ? "overlay has-lit" : "overlay"}
      viewBox={`0 0 ${widthPx} ${heightPx}`}
      preserveAspectRatio="none"
      role="group"
      aria-label={t.picture(image + 1)}
    >
      <defs>
        <pattern
          id={hatch}
          patternUnits="userSpaceOnUse"
          width={8 / scale}
          height={8 / scale}
          patternTransform="rotate(45)"
        >
          <rect className="hatch" width={1.6 / scale} height={8 / scale} />
        </pattern>
      </defs>
      {lit.length > 0 && <path className="dim" fillRule="evenodd" d={dimPath(widthPx, heightPx, lit)} />}
      {marks.map((mark) => (
        <BoxShape
          key={mark.key}
          mark={mark}
          scale={scale}
          size={widthPx * scale < SMALL_BELOW_PX ? "small" : "large"}
          hatch={hatch}
          isLit={mark.findings.some((one) => one.id === active)}
          isEntry={mark.key === entryKey}
          onEnter={() => setEntry(mark.key)}
        />
      ))}
      {lit.map(({ key, box }) => (
        <rect key={key} className="spot" aria-hidden {...rectOf(box, 3 / scale)} />
      ))}
    </svg>
  );
}

function rectOf([left, top, right, bottom]: Box, margin = 0) {
  return {
    x: left - margin,
    y: top - margin,
    width: Math.max(0, right - left + 2 * margin),
    height: Math.max(0, bottom - top + 2 * margin),
  };
}

function dimPath(width: number, height: number, marks: BoxMark[]): string {
  const holes = marks.map(
    ({ box: [left, top, right, bottom] }) => `M${left} ${top}H${right}V${bottom}H${left}Z`,
  );
  return `M0 0H${width}V${height}H0Z${holes.join("")}`;
}

function BoxShape({
  mark,
  scale,
  size,
  hatch,
  isLit,
  isEntry,
  onEnter,
}: {
  mark: BoxMark;
  scale: number;
  size: keyof typeof LABELS;
  hatch: string;
  isLit: boolean;
  isEntry: boolean;
  onEnter: () => void;
}) {
  const t = useWords().analyse;
  const first = mark.findings[0];
  if (!first) return null;
  const numbers = mark.findings.flatMap(({ label }) => (label === null ? [] : [label]));
  const text = `${TONE_SIGNS[mark.tone]}${numbers.slice(0, 2).join(",")}${numbers.length > 2 ? "…" : ""}`;
  const { height, sign, font } = LABELS[size];
  const heightPx = height / scale;
  const widthPx = (text.length * sign + 2 * PAD_PX) / scale;
  const [left, top] = mark.box;
  const labelTop = top >= heightPx ? top - heightPx : top;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    pick(first.id, "board");
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button element
    <g
      className={`box is-${mark.tone}${isLit ? " is-lit" : ""}`}
      data-box={mark.findings.map((one) => one.id).join(" ")}
      role="button"
      tabIndex={isEntry ? 0 : -1}
      aria-label={t.box(numbers.join(", "), mark.findings.map((one) => one.words).join("; "))}
      onMouseEnter={() => light(first.id, "board")}
      onMouseLeave={() => light(null, "board")}
      onFocus={() => {
        onEnter();
        light(first.id, "board");
      }}
      onBlur={() => light(null, "board")}
      onClick={() => pick(first.id, "board")}
      onKeyDown={onKeyDown}
    >
      <rect className="box-halo" {...rectOf(mark.box)} />
      <rect
        className="box-line"
        {...rectOf(mark.box)}
        fill={mark.tone === "bad" ? `url(#${hatch})` : undefined}
      />
      <rect className="box-label" x={left} y={labelTop} width={widthPx} height={heightPx} rx={3 / scale} />
      <text
        className="box-number"
        x={left + widthPx / 2}
        y={labelTop + heightPx / 2}
        fontSize={font / scale}
        textAnchor="middle"
        dominantBaseline="central"
      >
        {text}
      </text>
    </g>
  );
}
