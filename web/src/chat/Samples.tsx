/** Example pictures on an empty page: one click leads to an answer, or to what `onTry` does. */
import type { Sample } from "../api/types";
import { useWords } from "../i18n";
import { draftKey } from "../state/composer";
import { usePictureUrl } from "../state/pictures";
import { preferences } from "../state/preferences";
import { sessionStore } from "../state/session";
import { useStore } from "../state/store";
import { trySample } from "./submit";

const NO_SAMPLES: Sample[] = [];

export function Samples({ onTry }: { onTry?: (sample: Sample) => void }) {
  const t = useWords().empty;
  const samples = useStore(sessionStore, (value) => value.session?.samples ?? NO_SAMPLES);
  if (samples.length === 0) return null;
  return (
    <section className="samples" aria-label={t.samples}>
      <h2>{t.samples}</h2>
      <ul>
        {samples.map((sample) => (
          <SampleCard key={sample.name} sample={sample} onTry={onTry} />
        ))}
      </ul>
    </section>
  );
}

function SampleCard({ sample, onTry }: { sample: Sample; onTry: ((sample: Sample) => void) | undefined }) {
  const t = useWords().empty;
  const language = useStore(preferences, (value) => value.language);
  const address = usePictureUrl(sample.url);
  const title = language === "zh" ? sample.title_zh : sample.title_en;
  return (
    <li>
      <button
        type="button"
        className="sample"
        aria-label={t.tryIt(title)}
        onClick={() => (onTry ? onTry(sample) : void trySample(sample, draftKey(null)))}
      >
        <span className="sample-picture">{address && <img src={address} alt="" />}</span>
        <span className="sample-words">
          <span className="sample-title">{title}</span>
          {!onTry && (
            <span className="sample-question" lang="zh-CN">
              {sample.question_zh}
            </span>
          )}
        </span>
      </button>
    </li>
  );
}
