/** Prices, offers, dates and gifts as a table; each value with its state and place. */
import type { Report } from "../api/reports";
import { useWords } from "../i18n";
import { FindingItem, PlaceLabel } from "./FindingItem";
import type { Content, Finding } from "./findings";
import { fieldName, valueText } from "./names";
import { FieldSign } from "./signs";

type Of<K extends Content["kind"]> = Finding & { content: Content & { kind: K } };

function ofKind<K extends Content["kind"]>(findings: Finding[], kind: K): Of<K>[] {
  return findings.filter((one): one is Of<K> => one.content.kind === kind);
}

export function ExtractSection({ report, findings }: { report: Report<"extract">; findings: Finding[] }) {
  const t = useWords().analyse;
  const all = ofKind(findings, "field");
  // What the post does not mention comes last.
  const fields = [...all].sort((a, b) => Number(isMissing(a)) - Number(isMissing(b)));
  const conflicts = ofKind(findings, "conflict");
  const promotions = ofKind(findings, "promotion");
  const conditions = ofKind(findings, "condition");
  return (
    <>
      {all.every(isMissing) && <p className="section-empty">{t.noFields}</p>}
      {fields.length > 0 && (
        <table className="fields">
          <thead>
            <tr>
              <th scope="col">
                <span className="sr-only">{t.fieldHead.place}</span>
              </th>
              <th scope="col">{t.fieldHead.name}</th>
              <th scope="col">{t.fieldHead.value}</th>
              <th scope="col">{t.fieldHead.status}</th>
            </tr>
          </thead>
          <tbody>
            {fields.map((finding) => (
              <FieldRow key={finding.id} finding={finding} offers={report.result.offers} />
            ))}
          </tbody>
        </table>
      )}
      {conflicts.length > 0 && (
        <ul>
          {conflicts.map((finding) => (
            <FindingItem key={finding.id} finding={finding} className="is-card">
              <PlaceLabel finding={finding} />
              <div className="finding-body">
                <div className="finding-head">
                  <strong>{fieldName(finding.content.conflict.field, t)}</strong>
                  <FieldSign status="conflict" word={t.fieldStatus.conflict} />
                </div>
                <p>{finding.content.conflict.formula ?? finding.content.conflict.values.join(" / ")}</p>
              </div>
            </FindingItem>
          ))}
        </ul>
      )}
      <Rows
        title={t.promotions}
        rows={promotions.map((one) => [
          one,
          t.promotionTypes[one.content.promotion.type] ?? one.content.promotion.type,
          one.content.promotion.text,
        ])}
      />
      <Rows
        title={t.conditions}
        rows={conditions.map((one) => [
          one,
          t.conditionKinds[one.content.condition.kind] ?? one.content.condition.kind,
          one.content.condition.text,
        ])}
      />
    </>
  );
}

function isMissing(finding: Of<"field">): boolean {
  return finding.content.field.status === "missing";
}

function FieldRow({
  finding,
  offers,
}: {
  finding: Of<"field">;
  offers: Report<"extract">["result"]["offers"];
}) {
  const t = useWords().analyse;
  const { path, field } = finding.content;
  return (
    <FindingItem finding={finding} as="tr" className={field.status === "missing" ? "is-missing" : ""}>
      <td>
        <PlaceLabel finding={finding} />
      </td>
      <td>{fieldName(path, t, offers)}</td>
      <td lang="zh-CN">
        <strong>{valueText(field.value)}</strong>
        {field.formula && <small>{field.formula}</small>}
        {field.proposed && field.proposed !== field.value && <small>{t.proposed(field.proposed)}</small>}
      </td>
      <td>
        <FieldSign status={field.status} word={t.fieldStatus[field.status]} />
      </td>
    </FindingItem>
  );
}

/** Short findings with their kind, one a row. */
export function Rows({ title, rows }: { title: string; rows: (readonly [Finding, string, string])[] }) {
  if (rows.length === 0) return null;
  return (
    <div className="group">
      <h3>{title}</h3>
      <ul className="rows">
        {rows.map(([finding, kind, words]) => (
          <FindingItem key={finding.id} finding={finding} className="is-row">
            <PlaceLabel finding={finding} />
            <span className="row-kind">{kind}</span>
            <span lang="zh-CN">{words}</span>
          </FindingItem>
        ))}
      </ul>
    </div>
  );
}
