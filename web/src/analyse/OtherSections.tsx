/** Sentiment, answer and description. */
import type { Report } from "../api/reports";
import { CopyButton } from "../chat/CopyButton";
import { useWords } from "../i18n";
import { Rows } from "./ExtractSection";
import { FindingItem, PlaceLabel } from "./FindingItem";
import type { Finding } from "./findings";
import { MARK_ICONS } from "./signs";

export function SentimentSection({ report, findings }: { report: Report<"sentiment">; findings: Finding[] }) {
  const t = useWords().analyse;
  const { overall, text, image, relation, sarcasm, demand, urgency, comments } = report.result;
  const counted = Object.entries(comments) as [keyof typeof t.polarity, number][];
  return (
    <>
      <p className="headline">
        <strong>{t.polarity[overall.polarity]}</strong> <span>{t.intensity(overall.intensity)}</span>
      </p>
      <dl className="pairs">
        <Pair name={t.ofText} value={t.polarity[text.polarity]} />
        {image.polarity && <Pair name={t.ofPicture} value={`${t.polarity[image.polarity]} (${t.blind})`} />}
        {counted.length > 0 && (
          <Pair
            name={t.ofComments}
            value={counted.map(([name, n]) => `${t.polarity[name]} ${n}`).join(", ")}
          />
        )}
      </dl>
      <p className="finding-facts">
        {[t.relation[relation], t.demand[demand], t.urgency[urgency]].join(" · ")}
      </p>
      {sarcasm.flag && (
        <p className="note is-warn">
          {t.sarcasm}
          {sarcasm.cues.length > 0 && <span lang="zh-CN">: {sarcasm.cues.join("、")}</span>}
        </p>
      )}
      <Claims findings={findings} />
      <Rows
        title={t.aspects}
        rows={findings.flatMap((one) =>
          one.content.kind === "aspect"
            ? [
                [
                  one,
                  `${one.content.aspect.aspect} ${t.polarity[one.content.aspect.polarity]}`,
                  one.content.aspect.quote,
                ] as const,
              ]
            : [],
        )}
      />
    </>
  );
}

function Claims({ findings }: { findings: Finding[] }) {
  const t = useWords().analyse;
  const own = findings.flatMap((finding) =>
    finding.content.kind === "claim" ? [{ finding, claim: finding.content.claim }] : [],
  );
  if (own.length === 0) return null;
  return (
    <div className="group">
      <h3>{t.claims}</h3>
      <ul>
        {own.map(({ finding, claim }) => (
          <FindingItem key={finding.id} finding={finding} className="is-card">
            <PlaceLabel finding={finding} />
            <div className="finding-body">
              <div className="finding-head">
                <q lang="zh-CN">{claim.text}</q>
                <span className={`sign is-${finding.tone}`}>{t.claimVerdict[claim.verdict]}</span>
              </div>
              <p lang="zh-CN">
                {t.claimText(claim.object, t.expected[claim.expected], t.observed[claim.observed])}
              </p>
              <div className="finding-facts">{t.coverage[claim.coverage]}</div>
            </div>
          </FindingItem>
        ))}
      </ul>
    </div>
  );
}

export function AskSection({ report, findings }: { report: Report<"ask">; findings: Finding[] }) {
  const t = useWords().analyse;
  const { question, answer, verified, ocr_answer: ocr } = report.result;
  return (
    <>
      {question && (
        <p className="asked" lang="zh-CN">
          {question}
        </p>
      )}
      {answer ? (
        <p className="answer plain" lang="zh-CN">
          {answer}
        </p>
      ) : (
        <p className="section-empty">{t.noAnswer}</p>
      )}
      {answer && <p className="finding-facts">{t.verifiedBy[verified]}</p>}
      {ocr && ocr !== answer && <p className="note is-warn">{t.ocrDisagrees(ocr)}</p>}
      <ul className="rows">
        {findings.map((finding) =>
          finding.content.kind === "mark" ? (
            <FindingItem key={finding.id} finding={finding} className="is-row">
              <PlaceLabel finding={finding} />
              <strong lang="zh-CN">{finding.content.mark.text}</strong>
              <span className={`sign is-${finding.tone}`}>
                {MARK_ICONS[finding.content.mark.state]}
                {t.markState[finding.content.mark.state]}
              </span>
              {finding.content.mark.formula && <span>{finding.content.mark.formula}</span>}
            </FindingItem>
          ) : null,
        )}
      </ul>
      {answer && <CopyButton text={answer} />}
    </>
  );
}

export function DescribeSection({ report }: { report: Report<"describe"> }) {
  const t = useWords().analyse;
  const found = report.result;
  return (
    <>
      {found.caption ? (
        <p className="answer" lang="zh-CN">
          {found.caption}
        </p>
      ) : (
        <p className="section-empty">{t.noCaption}</p>
      )}
      <dl className="pairs" lang="zh-CN">
        {found.image_kind && <Pair name={t.kind} value={t.kinds[found.image_kind] ?? found.image_kind} />}
        {found.scene && <Pair name={t.scene} value={found.scene} />}
        {found.people_count !== null && <Pair name={t.people} value={String(found.people_count)} />}
        {found.objects.length > 0 && (
          <Pair
            name={t.objects}
            value={found.objects.map(({ name, count }) => (count > 1 ? `${name}×${count}` : name)).join("、")}
          />
        )}
        {found.brands.length > 0 && (
          <Pair
            name={t.brands}
            value={found.brands
              .map(({ name, verified }) => (verified === "both" ? name : `${name} (${t.brandSeen})`))
              .join("、")}
          />
        )}
        {found.visible_text_role && (
          <Pair name={t.taskShort.read} value={t.textRole[found.visible_text_role]} />
        )}
        {found.unsupported_claims_removed.length > 0 && (
          <Pair name={t.removed} value={found.unsupported_claims_removed.join("；")} />
        )}
      </dl>
    </>
  );
}

function Pair({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
