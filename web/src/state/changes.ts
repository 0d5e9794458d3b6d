/**
 * What is different between two reports of one post.
 * Owns: the comparison. Must not know: how it is said.
 */
import type { Polarity, ReportsByTask, Suggestion } from "../api/reports";

export interface Changes {
  verdict: { before: Suggestion; now: Suggestion } | null;
  /** Words of findings of moderation that went and that came. */
  gone: string[];
  come: string[];
  polarity: { before: Polarity; now: Polarity } | null;
  fields: { path: string; before: string | null; now: string | null }[];
}

/** Compare; a task that only one of the two has counts as unchanged. */
export function changesBetween(before: ReportsByTask, now: ReportsByTask): Changes {
  const rules = [before.moderate?.result, now.moderate?.result] as const;
  const [had, has] = rules.map((result) => (result ? findingsOf(result) : null));
  const moods = [before.sentiment?.result.overall.polarity, now.sentiment?.result.overall.polarity] as const;
  const fields = [before.extract?.result.fields, now.extract?.result.fields] as const;
  return {
    verdict:
      rules[0] && rules[1] && rules[0].suggestion !== rules[1].suggestion
        ? { before: rules[0].suggestion, now: rules[1].suggestion }
        : null,
    gone: had && has ? [...had].filter(([key]) => !has.has(key)).map(([, words]) => words) : [],
    come: had && has ? [...has].filter(([key]) => !had.has(key)).map(([, words]) => words) : [],
    polarity: moods[0] && moods[1] && moods[0] !== moods[1] ? { before: moods[0], now: moods[1] } : null,
    fields: fields[0] && fields[1] ? changedFields(fields[0], fields[1]) : [],
  };
}

export function isUnchanged(changes: Changes): boolean {
  const { verdict, gone, come, polarity, fields } = changes;
  return !verdict && !polarity && gone.length + come.length + fields.length === 0;
}

type Moderated = NonNullable<ReportsByTask["moderate"]>["result"];
type Fields = NonNullable<ReportsByTask["extract"]>["result"]["fields"];

function findingsOf(result: Moderated): Map<string, string> {
  const listed = [...result.hits, ...result.missing_notices, ...result.needs_proof, ...result.arithmetic];
  return new Map(
    listed.map(({ rule_id, title, evidence }) => [`${rule_id} ${evidence.quote}`, evidence.quote || title]),
  );
}

function changedFields(before: Fields, now: Fields): Changes["fields"] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return paths
    .map((path) => ({ path, before: before[path]?.value ?? null, now: now[path]?.value ?? null }))
    .filter((change) => change.before !== change.now);
}
