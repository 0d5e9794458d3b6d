/** What was read in the pictures: lines, numbers, codes. */
import type { Report } from "../api/reports";
import { CopyButton } from "../chat/CopyButton";
import { useWords } from "../i18n";
import { FindingItem, PlaceLabel } from "./FindingItem";
import type { Content, Finding } from "./findings";

export function ReadSection({ report, findings }: { report: Report<"read">; findings: Finding[] }) {
  const t = useWords().analyse;
  const { images } = report.result;
  return images.map((image) => {
    const own = (kind: Content["kind"]) =>
      findings.filter((one) => one.content.kind === kind && imageOf(one.content) === image.index);
    const [lines, numbers, codes] = [own("line"), own("number"), own("code")];
    return (
      <div key={image.index} className="group">
        <div className="group-head">
          <h3>
            {images.length > 1 ? `${t.picture(image.index + 1)} · ` : ""}
            {t.lines}
          </h3>
          {image.full_text && <CopyButton text={image.full_text} name={t.copyText} />}
        </div>
        {lines.length === 0 && <p className="section-empty">{t.noText}</p>}
        <ul className="rows">
          {lines.map((finding) => (
            <LineRow key={finding.id} finding={finding} />
          ))}
        </ul>
        {numbers.length > 0 && (
          <>
            <h3>{t.numbers}</h3>
            <ul className="rows">
              {numbers.map((finding) => (
                <NumberRow key={finding.id} finding={finding} />
              ))}
            </ul>
          </>
        )}
        {codes.length > 0 && (
          <>
            <h3>{t.codes}</h3>
            <ul className="rows">
              {codes.map((finding) => (
                <FindingItem key={finding.id} finding={finding} className="is-row">
                  <PlaceLabel finding={finding} />
                  <span className="row-kind">
                    {finding.content.kind === "code" && finding.content.code.type}
                  </span>
                  <span className="plain">{finding.words}</span>
                </FindingItem>
              ))}
            </ul>
          </>
        )}
      </div>
    );
  });
}

function imageOf(content: Content): number | null {
  return "image" in content ? content.image : null;
}

function LineRow({ finding }: { finding: Finding }) {
  const t = useWords().analyse;
  if (finding.content.kind !== "line") return null;
  const { line } = finding.content;
  const isUnsure = line.low_conf && line.agree !== true;
  return (
    <FindingItem finding={finding} className="is-row">
      <PlaceLabel finding={finding} />
      <span lang="zh-CN">{line.text}</span>
      {line.agree === true && <span className="sign is-good">{t.agreed}</span>}
      {line.agree === false && <span className="sign is-warn">{t.otherReading(line.vlm_text ?? "")}</span>}
      {isUnsure && (
        <span className="sign is-warn">
          {t.unsure} {Math.round(line.conf * 100)}%
        </span>
      )}
    </FindingItem>
  );
}

function NumberRow({ finding }: { finding: Finding }) {
  const t = useWords().analyse;
  if (finding.content.kind !== "number") return null;
  const { number } = finding.content;
  const checked = number.verified_by.length > 1 ? "two" : number.verified_by.length === 1 ? "one" : "none";
  return (
    <FindingItem finding={finding} className="is-row">
      <PlaceLabel finding={finding} />
      <span className="row-kind">{t.numberKinds[number.kind] ?? number.kind}</span>
      <strong lang="zh-CN">{number.raw}</strong>
      <span className={`sign is-${finding.tone}`}>{t.numberChecked[checked]}</span>
      {number.is_struck && <span className="sign is-plain">{t.struck}</span>}
    </FindingItem>
  );
}
