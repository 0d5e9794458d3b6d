/** What is different since the last run. */
import { DiffOutlined } from "@ant-design/icons";
import { useWords } from "../i18n";
import { type Changes, isUnchanged } from "../state/changes";
import { fieldName } from "./names";

export function ChangesNote({ changes }: { changes: Changes }) {
  const t = useWords().analyse;
  const { verdict, gone, come, polarity, fields } = changes;
  const quoted = (words: string[]) => words.map((one) => `「${one}」`).join(" ");
  return (
    <section className="changes" aria-label={t.changed}>
      <h2>
        <DiffOutlined aria-hidden /> {t.changed}
      </h2>
      {isUnchanged(changes) && <p>{t.unchanged}</p>}
      <ul>
        {verdict && (
          <li>
            <strong>{t.verdictChange(t.suggestion[verdict.before], t.suggestion[verdict.now])}</strong>
          </li>
        )}
        {gone.length > 0 && <li>{t.goneFindings(quoted(gone))}</li>}
        {come.length > 0 && <li>{t.newFindings(quoted(come))}</li>}
        {polarity && <li>{t.moodChange(t.polarity[polarity.before], t.polarity[polarity.now])}</li>}
        {fields.map(({ path, before, now }) => (
          <li key={path}>{t.fieldChange(fieldName(path, t), before ?? t.nothing, now ?? t.nothing)}</li>
        ))}
      </ul>
    </section>
  );
}
