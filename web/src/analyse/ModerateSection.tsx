/** What moderation found, by kind; each with its rule, place and remedy. */
import type { ReactNode } from "react";
import type { Evidence } from "../api/reports";
import { CopyButton } from "../chat/CopyButton";
import { useWords } from "../i18n";
import { FindingItem, PlaceLabel } from "./FindingItem";
import type { Content, Finding } from "./findings";

const GROUPS = [
  ["hit", "hits"],
  ["arithmetic", "arithmetic"],
  ["missing", "missing"],
  ["proof", "proof"],
  ["instruction", "instruction"],
  ["exempted", "exempted"],
] as const;

export function ModerateSection({ findings }: { findings: Finding[] }) {
  const t = useWords().analyse;
  return (
    <>
      {!findings.some((one) => one.content.kind === "hit") && <p className="section-empty">{t.noHits}</p>}
      {GROUPS.map(([kind, name]) => {
        const own = findings.filter((one) => one.content.kind === kind);
        if (own.length === 0) return null;
        return (
          <div key={kind} className="group">
            <h3>{t.groups[name]}</h3>
            <ul>
              {own.map((finding) => (
                <FindingItem key={finding.id} finding={finding} className="is-card">
                  <PlaceLabel finding={finding} />
                  <div className="finding-body">
                    <Body content={finding.content} />
                  </div>
                </FindingItem>
              ))}
            </ul>
          </div>
        );
      })}
    </>
  );
}

function Quote({ evidence }: { evidence: Evidence }) {
  const t = useWords();
  const { source, image_index: image } = evidence;
  const place =
    source === "post_text"
      ? t.evidence.post
      : source === "comment"
        ? t.analyse.ofComments
        : t.analyse.picture((image ?? 0) + 1);
  return (
    <span className="quote">
      {evidence.quote && <q lang="zh-CN">{evidence.quote}</q>} <small>{place}</small>
    </span>
  );
}

function Head({ title, evidence, children }: { title: string; evidence: Evidence; children?: ReactNode }) {
  return (
    <div className="finding-head">
      <strong lang="zh-CN">{title}</strong>
      <Quote evidence={evidence} />
      {children}
    </div>
  );
}

function Facts({ words }: { words: (string | null | undefined | false)[] }) {
  return <div className="finding-facts">{words.filter(Boolean).join(" · ")}</div>;
}

function Body({ content }: { content: Content }) {
  const t = useWords().analyse;
  switch (content.kind) {
    case "hit": {
      const { hit } = content;
      const isOtherSpelling = hit.normalized_from && hit.normalized_from !== hit.term;
      return (
        <>
          <Head title={hit.title} evidence={hit.evidence}>
            <span className={`verdict-tag is-${hit.suggest}`}>{t.suggestionShort[hit.suggest]}</span>
          </Head>
          <p lang="zh-CN">{hit.reason}</p>
          {isOtherSpelling && <p>{t.term(hit.term, hit.normalized_from ?? "")}</p>}
          <Facts
            words={[
              hit.law && hit.article && t.article(hit.law, hit.article),
              hit.penalty_article && t.penalty(hit.penalty_article),
              t.severity[hit.severity],
              t.certainty[hit.certainty],
              t.decidedBy[hit.decided_by],
            ]}
          />
          {hit.reword && (
            <div className="reword">
              <span>
                <b>{t.reword}</b> <span lang="zh-CN">{hit.reword}</span>
              </span>
              <CopyButton text={hit.reword} name={t.copyReword} />
            </div>
          )}
        </>
      );
    }
    case "arithmetic": {
      const { arithmetic } = content;
      return (
        <>
          <Head title={arithmetic.title} evidence={arithmetic.evidence} />
          <p>{t.computedIs(arithmetic.formula, arithmetic.computed, arithmetic.claimed)}</p>
          <Facts
            words={[
              arithmetic.law && arithmetic.article && t.article(arithmetic.law, arithmetic.article),
              t.certainty[arithmetic.certainty],
            ]}
          />
        </>
      );
    }
    case "missing": {
      const { missing } = content;
      return (
        <>
          <Head title={missing.title} evidence={missing.evidence} />
          <p lang="zh-CN">{t.missing(missing.missing.join("、"))}</p>
          <Facts words={[t.article(missing.law, missing.article), t.certainty[missing.certainty]]} />
          <div className="reword">
            <span>
              <b>{t.required}</b> <span lang="zh-CN">{missing.required}</span>
            </span>
            <CopyButton text={missing.required} name={t.copyReword} />
          </div>
        </>
      );
    }
    case "proof": {
      const { proof } = content;
      return (
        <>
          <Head title={proof.title} evidence={proof.evidence} />
          <p>
            {t.proofNeeded} <span lang="zh-CN">{proof.proof}</span>
          </p>
          <Facts words={[t.article(proof.law, proof.article), t.certainty[proof.certainty]]} />
        </>
      );
    }
    case "exempted": {
      const { exempted } = content;
      return (
        <>
          <Head title={exempted.term} evidence={exempted.evidence} />
          <p lang="zh-CN">{exempted.exemption}</p>
          <Facts words={[`${t.basis} ${exempted.basis}`, t.certainty[exempted.certainty]]} />
        </>
      );
    }
    case "instruction":
      return <Quote evidence={content.evidence} />;
    default:
      return null;
  }
}
