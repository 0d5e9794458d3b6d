/**
 * Reports as findings: everything that can be pointed at, in the order in which it is shown.
 * Owns: what counts as one finding, how grave it looks, its number. Must not know: how it is drawn.
 */
import {
  type Arithmetic,
  type AskResult,
  type Claim,
  type Condition,
  type Conflict,
  type Evidence,
  type Exempted,
  type ExtractResult,
  type Field,
  type Hit,
  type Mark,
  type MissingNotice,
  type ModerateResult,
  type NeedsProof,
  type ReadLine,
  type ReadNumber,
  type ReadResult,
  type ReportsByTask,
  type SentimentResult,
  TASKS,
  type Task,
} from "../api/reports";
import { type Place, placesOf, quotePlaces } from "./places";

/** How a finding looks, by colour, line and sign alike. */
export type Tone = "bad" | "warn" | "good" | "plain";

export type Content =
  | { kind: "hit"; hit: Hit }
  | { kind: "missing"; missing: MissingNotice }
  | { kind: "proof"; proof: NeedsProof }
  | { kind: "arithmetic"; arithmetic: Arithmetic }
  | { kind: "exempted"; exempted: Exempted }
  | { kind: "instruction"; evidence: Evidence }
  | { kind: "mark"; mark: Mark }
  | { kind: "claim"; claim: Claim }
  | { kind: "aspect"; aspect: SentimentResult["aspects"][number] }
  | { kind: "field"; path: string; field: Field }
  | { kind: "conflict"; conflict: Conflict }
  | { kind: "promotion"; promotion: ExtractResult["promotion_rules"][number] }
  | { kind: "condition"; condition: Condition }
  | { kind: "line"; line: ReadLine; image: number }
  | { kind: "number"; number: ReadNumber; image: number }
  | { kind: "code"; code: ReadResult["images"][number]["codes"][number]; image: number };

export interface Finding {
  id: string;
  task: Task;
  tone: Tone;
  /** What stands at its box; null where it stands nowhere. */
  label: string | null;
  /** What it is about, for those who cannot see the box. */
  words: string;
  places: Place[];
  content: Content;
}

type Bare = Omit<Finding, "id" | "task" | "label"> & { label?: string };

/** Give the findings of all reports; numbers run through them in the order of the tasks. */
export function findingsOf(reports: ReportsByTask, text: string): Finding[] {
  let number = 0;
  return TASKS.flatMap((task) =>
    bareOf(task, reports, text).map((bare, index): Finding => {
      const hasPlace = bare.places.length > 0;
      if (hasPlace && bare.label === undefined) number += 1;
      return {
        ...bare,
        id: `${task}-${index}`,
        task,
        label: hasPlace ? (bare.label ?? String(number)) : null,
      };
    }),
  );
}

function bareOf(task: Task, reports: ReportsByTask, text: string): Bare[] {
  switch (task) {
    case "moderate":
      return reports.moderate ? moderated(reports.moderate.result, text) : [];
    case "extract":
      return reports.extract ? extracted(reports.extract.result, text) : [];
    case "sentiment":
      return reports.sentiment ? felt(reports.sentiment.result, text) : [];
    case "ask":
      return reports.ask ? answered(reports.ask.result, text) : [];
    case "read":
      return reports.read ? wasRead(reports.read.result) : [];
    default:
      return [];
  }
}

function moderated(result: ModerateResult, text: string): Bare[] {
  const at = (evidence: Evidence) => placesOf(evidence, text);
  return [
    ...result.hits.map(
      (hit): Bare => ({
        tone: hit.suggest === "block" ? "bad" : "warn",
        words: `${hit.title} ${hit.evidence.quote}`,
        places: at(hit.evidence),
        content: { kind: "hit", hit },
      }),
    ),
    ...result.arithmetic.map(
      (arithmetic): Bare => ({
        tone: "bad",
        words: `${arithmetic.title} ${arithmetic.evidence.quote}`,
        places: at(arithmetic.evidence),
        content: { kind: "arithmetic", arithmetic },
      }),
    ),
    ...result.missing_notices.map(
      (missing): Bare => ({
        tone: "warn",
        words: `${missing.title} ${missing.evidence.quote}`,
        places: at(missing.evidence),
        content: { kind: "missing", missing },
      }),
    ),
    ...result.needs_proof.map(
      (proof): Bare => ({
        tone: "plain",
        words: `${proof.title} ${proof.evidence.quote}`,
        places: at(proof.evidence),
        content: { kind: "proof", proof },
      }),
    ),
    ...result.suspected_instructions.map(
      (evidence): Bare => ({
        tone: "warn",
        words: evidence.quote,
        places: at(evidence),
        content: { kind: "instruction", evidence },
      }),
    ),
    ...result.exempted.map(
      (exempted): Bare => ({
        tone: "good",
        words: `${exempted.term} ${exempted.evidence.quote}`,
        places: at(exempted.evidence),
        content: { kind: "exempted", exempted },
      }),
    ),
  ];
}

const FIELD_TONES = {
  verified: "good",
  computed: "good",
  single: "plain",
  conflict: "bad",
  missing: "plain",
} as const;

function extracted(result: ExtractResult, text: string): Bare[] {
  const all = (evidence: Evidence[]) => evidence.flatMap((one) => placesOf(one, text));
  return [
    ...Object.entries(result.fields).map(
      ([path, field]): Bare => ({
        tone: FIELD_TONES[field.status],
        words: `${path} ${field.value ?? ""}`,
        places: all(field.evidence),
        content: { kind: "field", path, field },
      }),
    ),
    ...result.conflicts
      .filter((conflict) => conflict.kind !== "values")
      .map(
        (conflict): Bare => ({
          tone: "bad",
          words: conflict.formula ?? conflict.values.join(" / "),
          places: all(conflict.evidence),
          content: { kind: "conflict", conflict },
        }),
      ),
    ...result.promotion_rules.map(
      (promotion): Bare => ({
        tone: "plain",
        words: promotion.text,
        places: all(promotion.evidence),
        content: { kind: "promotion", promotion },
      }),
    ),
    ...result.rules.map(
      (condition): Bare => ({
        tone: "plain",
        words: condition.text,
        places: placesOf({ ...condition, quote: condition.text, span: null }, text),
        content: { kind: "condition", condition },
      }),
    ),
  ];
}

const CLAIM_TONES = { supported: "warn", refuted: "bad", unverifiable: "plain" } as const;

function felt(result: SentimentResult, text: string): Bare[] {
  return [
    ...result.claims.map(
      (claim): Bare => ({
        tone: CLAIM_TONES[claim.verdict],
        words: claim.text,
        places: placesOf(claim.evidence, text),
        content: { kind: "claim", claim },
      }),
    ),
    ...result.aspects.map(
      (aspect): Bare => ({
        tone: aspect.polarity === "negative" ? "warn" : "plain",
        words: `${aspect.aspect} ${aspect.quote}`,
        places: quotePlaces(aspect.quote, text),
        content: { kind: "aspect", aspect },
      }),
    ),
  ];
}

function answered(result: AskResult, text: string): Bare[] {
  return result.marks.map((mark) => ({
    tone: mark.state === "unverified" ? "warn" : "good",
    words: mark.text,
    places: mark.evidence.flatMap((one) => placesOf(one, text)),
    content: { kind: "mark", mark },
  }));
}

function wasRead(result: ReadResult): Bare[] {
  return result.images.flatMap(({ index: image, lines, numbers, codes }) => [
    ...lines.map(
      (line): Bare => ({
        tone: line.agree === false || (line.low_conf && line.agree === null) ? "warn" : "plain",
        label: line.id,
        words: line.text,
        places: [{ kind: "picture", image, box: line.box }],
        content: { kind: "line", line, image },
      }),
    ),
    ...numbers.map(
      (number, i): Bare => ({
        tone: number.verified_by.length > 1 ? "good" : number.verified_by.length === 1 ? "plain" : "warn",
        label: `N${i + 1}`,
        words: number.raw,
        places: [{ kind: "picture", image, box: number.box }],
        content: { kind: "number", number, image },
      }),
    ),
    ...codes.map(
      (code, i): Bare => ({
        tone: "plain",
        label: `Q${i + 1}`,
        words: code.text || code.type,
        places: [{ kind: "picture", image, box: code.box }],
        content: { kind: "code", code, image },
      }),
    ),
  ]);
}

/** Findings whose boxes are drawn unless the reader says otherwise: all but plain text, or that where there is nothing else. */
export function defaultLayers(findings: Finding[]): Task[] {
  const drawn = TASKS.filter((task) => findings.some((one) => one.task === task && hasBox(one)));
  const judged = drawn.filter((task) => task !== "read");
  return judged.length > 0 ? judged : drawn;
}

export function hasBox(finding: Finding): boolean {
  return finding.places.some((place) => place.kind === "picture");
}
