/**
 * What is in the reports of the tasks: the server describes them as open objects, as they differ by task.
 * Owns: shapes alone, as `docs/reference` and `kandong.tasks` have them. Must not know: how they are shown.
 */
export const TASKS = ["moderate", "extract", "sentiment", "ask", "describe", "read"] as const;
export type Task = (typeof TASKS)[number];

export type Box = [number, number, number, number];
export type Suggestion = "pass" | "review" | "block";
export type FieldStatus = "verified" | "single" | "conflict" | "missing" | "computed";
export type Polarity = "positive" | "neutral" | "negative" | "mixed";

export interface Spot {
  line_id: string | null;
  quote: string;
  span: [number, number] | null;
  box: Box | null;
}

/** Where words stand; a word broken by a line's end goes on in `continued`. */
export interface Evidence extends Spot {
  source: "post_text" | "image_text" | "image" | "code" | "comment";
  image_index: number | null;
  continued?: Spot[];
}

interface Legal {
  rule_id: string;
  title: string;
  law: string;
  article: string;
  certainty: string;
  evidence: Evidence;
}

export interface Hit extends Legal {
  penalty_article: string | null;
  severity: string;
  term: string;
  normalized_from: string | null;
  reason: string;
  reword: string;
  suggest: Suggestion;
  decided_by: "rule" | "model" | "both";
}

export interface MissingNotice extends Legal {
  required: string;
  missing: string[];
}

export interface NeedsProof extends Legal {
  term: string;
  proof: string;
}

export interface Arithmetic extends Legal {
  claimed: string;
  computed: string;
  formula: string;
}

export interface Exempted {
  rule_id: string;
  term: string;
  exemption: string;
  basis: string;
  certainty: string;
  evidence: Evidence;
}

export interface ModerateResult {
  suggestion: Suggestion;
  score: number;
  risk_level: "none" | "low" | "medium" | "high";
  is_ad: { value: boolean };
  hits: Hit[];
  missing_notices: MissingNotice[];
  needs_proof: NeedsProof[];
  arithmetic: Arithmetic[];
  exempted: Exempted[];
  suspected_instructions: Evidence[];
}

export interface Mark {
  span: [number, number];
  text: string;
  state: "found" | "computed" | "unverified";
  evidence: Evidence[];
  formula: string | null;
}

export interface AskResult {
  question: string | null;
  answer: string | null;
  verified: "both" | "ocr" | "vlm" | "none";
  marks: Mark[];
  evidence: Evidence[];
  ocr_answer: string | null;
  abstained: boolean;
}

export interface DescribeResult {
  caption: string | null;
  scene: string | null;
  image_kind: string | null;
  people_count: number | null;
  objects: { name: string; count: number }[];
  brands: { name: string; verified: "vlm" | "both" }[];
  visible_text_role: "none" | "some" | "main" | null;
  unsupported_claims_removed: string[];
}

export interface Claim {
  text: string;
  object: string;
  expected: "present" | "absent" | "state";
  observed: "yes" | "no" | "unclear";
  coverage: "full" | "partial";
  verdict: "supported" | "refuted" | "unverifiable";
  evidence: Evidence | null;
}

export interface SentimentResult {
  overall: { polarity: Polarity; score: number; intensity: number };
  text: { polarity: Polarity };
  image: { polarity: Polarity | null; damage: boolean | null };
  relation: "agree" | "contradict" | "image_supports_text" | "unrelated" | "no_image";
  claims: Claim[];
  sarcasm: { flag: boolean; cues: string[] };
  aspects: { aspect: string; polarity: Polarity; quote: string }[];
  demand: "refund" | "resend" | "reply" | "none";
  urgency: "low" | "medium" | "high";
  comments: Partial<Record<Polarity, number>>;
}

export interface Field {
  value: string | null;
  status: FieldStatus;
  evidence: Evidence[];
  proposed: string | null;
  formula: string | null;
}

export interface Conflict {
  field: string;
  kind: string;
  values: string[];
  formula?: string;
  evidence: Evidence[];
}

export interface Condition {
  order: number;
  text: string;
  kind: string;
  source: Evidence["source"];
  image_index: number | null;
  line_id: string | null;
  box: Box | null;
}

export interface ExtractResult {
  fields: Record<string, Field>;
  conflicts: Conflict[];
  rules: Condition[];
  promotion_rules: { type: string; text: string; evidence: Evidence[] }[];
  offers: { price_kind: string }[];
}

export interface ReadLine {
  id: string;
  text: string;
  conf: number;
  low_conf: boolean;
  box: Box;
  vlm_text: string | null;
  agree: boolean | null;
}

export interface ReadNumber {
  raw: string;
  kind: string;
  value: string;
  line_id: string;
  box: Box;
  verified_by: string[];
  is_struck: boolean;
}

export interface ReadImage {
  index: number;
  width_px: number;
  height_px: number;
  full_text: string;
  truncated: boolean;
  lines: ReadLine[];
  numbers: ReadNumber[];
  codes: { type: string; text: string; box: Box }[];
}

export interface ReadResult {
  images: ReadImage[];
}

interface ResultOf {
  moderate: ModerateResult;
  extract: ExtractResult;
  sentiment: SentimentResult;
  ask: AskResult;
  describe: DescribeResult;
  read: ReadResult;
}

export interface Report<T extends Task = Task> {
  task: T;
  status: "ok" | "partial" | "failed";
  result: ResultOf[T];
  warnings: string[];
  unchecked: string[];
  /** The model that had a say in it. */
  model: { id: string } | null;
  took_ms: number;
  cached: boolean;
}

export type ReportsByTask = { [T in Task]?: Report<T> };
