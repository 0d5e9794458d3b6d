/** 分析: a post is put in, and its report stands beside the pictures. Loaded when first opened. */
import { PlusOutlined, ReloadOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { useEffect, useMemo, useState } from "react";
import { TASKS, type Task } from "../api/reports";
import { Logo } from "../app/Logo";
import { ModelBanner } from "../chat/ModelBanner";
import { Samples } from "../chat/Samples";
import { useWords } from "../i18n";
import { analyseSample, analysisStore, newPost, runAnalysis, type Shown } from "../state/analysis";
import { composerStore, draftOf, POST_KEY } from "../state/composer";
import { fingerprint, isPostEmpty, postStore } from "../state/post";
import { preferences } from "../state/preferences";
import { useStore } from "../state/store";
import { Board } from "./Board";
import { defaultLayers, type Finding, findingsOf, hasBox } from "./findings";
import { useFindingKeys } from "./keys";
import { PostForm } from "./PostForm";
import { PostText } from "./PostText";
import { ReportView } from "./ReportView";
import { RunProgress } from "./RunProgress";
import { resetSelection, selectionStore } from "./selection";
import { TONE_SIGNS } from "./signs";
import "./analyse.css";
import "./report.css";

const NO_FINDINGS: Finding[] = [];

export default function AnalysePage() {
  const { run, shown } = useStore(analysisStore, (value) => value);
  const findings = useMemo(() => (shown ? findingsOf(shown.set.reports, shown.text) : NO_FINDINGS), [shown]);
  useEffect(() => resetSelection(findings[0]?.id ?? null), [findings]);
  useFindingKeys();
  return (
    <>
      {run || shown ? <Bench findings={findings} /> : <EmptyPage />}
      <Announcement findings={findings} />
    </>
  );
}

function EmptyPage() {
  const t = useWords().analyse;
  return (
    <div className="analyse is-empty">
      <header className="welcome">
        <Logo />
        <h1>{t.title}</h1>
        <p>{t.subtitle}</p>
      </header>
      <ModelBanner isEmpty />
      <PostForm isAgain={false} isBusy={false} onRun={() => void runAnalysis()} />
      <Samples onTry={(sample) => void analyseSample(sample)} />
    </div>
  );
}

function Bench({ findings }: { findings: Finding[] }) {
  const t = useWords().analyse;
  const { run, shown } = useStore(analysisStore, (value) => value);
  const [view, setView] = useState<"see" | "edit">("see");
  const picked = useStore(selectionStore, (value) => value.picked);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new pick shows where it stands
  useEffect(() => setView("see"), [picked, shown]);
  const isRunning = run !== null && run.status !== "failed";
  return (
    <div className={`analyse is-bench is-${view}`}>
      <div className="post-pane">
        <div className="pane-bar">
          {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields */}
          <div className="views" role="group" aria-label={t.post}>
            {(["see", "edit"] as const).map((name) => (
              <button key={name} type="button" aria-pressed={view === name} onClick={() => setView(name)}>
                {t[name]}
              </button>
            ))}
          </div>
          <Button type="text" icon={<PlusOutlined />} onClick={newPost}>
            {t.newPost}
          </Button>
        </div>
        {view === "edit" ? (
          <PostForm isAgain={shown !== null} isBusy={isRunning} onRun={() => void runAnalysis()} />
        ) : (
          <Looking shown={shown} findings={findings} />
        )}
      </div>
      <div className="report-pane">
        <ModelBanner isEmpty={false} />
        {run && <RunProgress run={run} />}
        {shown && !run && <StaleNote shown={shown} />}
        {shown && <ReportView shown={shown} findings={findings} />}
      </div>
    </div>
  );
}

/** The pictures and words that the report is about, or those that are about to be looked at. */
function Looking({ shown, findings }: { shown: Shown | null; findings: Finding[] }) {
  const t = useWords().analyse;
  const draft = useStore(composerStore, (value) => draftOf(value.drafts, POST_KEY));
  const files = shown
    ? shown.files
    : draft.pictures.flatMap((picture) => (picture.file ? [picture.file] : []));
  const text = shown ? shown.text : draft.text;
  const [layers, setLayers] = useState<Task[] | null>(null);
  const visible = layers ?? defaultLayers(findings);
  const drawn = TASKS.filter((task) => findings.some((one) => one.task === task && hasBox(one)));
  const toggle = (task: Task) =>
    setLayers(visible.includes(task) ? visible.filter((one) => one !== task) : [...visible, task]);
  return (
    <div className="looking">
      {files.length > 0 ? (
        <Board files={files} findings={findings} isShown={(one) => visible.includes(one.task)} />
      ) : (
        <p className="section-empty">{t.noPicture}</p>
      )}
      {drawn.length > 0 && (
        <div className="board-foot">
          <fieldset className="layers">
            <legend className="sr-only">{t.layers}</legend>
            {drawn.map((task) => (
              <label key={task} className="task is-small">
                <input type="checkbox" checked={visible.includes(task)} onChange={() => toggle(task)} />
                <span className="task-sign" aria-hidden />
                {t.taskShort[task]}
              </label>
            ))}
          </fieldset>
          <ul className="legend">
            {(["bad", "warn", "good", "plain"] as const).map((tone) => (
              <li key={tone}>
                <span className={`legend-box is-${tone}`} aria-hidden>
                  {TONE_SIGNS[tone]}
                </span>
                {t.legend[tone]}
              </li>
            ))}
          </ul>
        </div>
      )}
      <PostText text={text} findings={findings} />
    </div>
  );
}

/** Says that the input is no longer the report's, with the way to a new one. */
function StaleNote({ shown }: { shown: Shown }) {
  const t = useWords().analyse;
  // Whatever of these changes, the input may be another.
  useStore(composerStore, (value) => value.drafts[POST_KEY]);
  useStore(postStore, (value) => value);
  useStore(preferences, (value) => value.tasks);
  if (isPostEmpty() || fingerprint() === shown.print) return null;
  return (
    <div className="stale" role="status">
      <span>{t.stale}</span>
      <Button type="primary" icon={<ReloadOutlined />} onClick={() => void runAnalysis()}>
        {t.rerun}
      </Button>
    </div>
  );
}

/** Told once to screen readers when a report is finished; nothing of it while it is made. */
function Announcement({ findings }: { findings: Finding[] }) {
  const t = useWords().analyse;
  const { numFinished, shown } = useStore(analysisStore, (value) => value);
  const [first] = useState(numFinished);
  const reports = shown ? Object.values(shown.set.reports) : [];
  const verdict = shown?.set.reports.moderate?.result.suggestion;
  const text =
    numFinished === first || !shown
      ? ""
      : t.announce(
          verdict ? t.suggestion[verdict] : "",
          findings.length,
          reports.reduce((sum, report) => sum + report.unchecked.length, 0),
        );
  return (
    <div className="sr-only" role="status" id="analysis-said">
      <span key={numFinished}>{text}</span>
    </div>
  );
}
