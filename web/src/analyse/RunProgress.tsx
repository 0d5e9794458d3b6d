/** A run under way: what each task is doing, a way to stop; or why it failed and a way on. */
import { CheckCircleFilled, ClockCircleOutlined, LoadingOutlined } from "@ant-design/icons";
import { Alert, Button } from "antd";
import { useEffect, useState } from "react";
import { ApiError } from "../api/client";
import { useWords } from "../i18n";
import { type Run, runAnalysis, stopAnalysis, type TaskProgress } from "../state/analysis";
import { tell } from "../state/failures";

export function RunProgress({ run }: { run: Run }) {
  const t = useWords().analyse;
  if (run.status === "failed") return <Failed error={run.error} />;
  return (
    <section className="run" aria-label={t.running} aria-busy>
      <header>
        <strong>{run.status === "uploading" ? t.uploading : t.running}</strong>
        <Seconds startedMs={run.startedMs} />
        <Button onClick={stopAnalysis} icon={<span className="stop-square" />}>
          {t.stop}
        </Button>
      </header>
      <ol>
        {run.tasks.map((task) => (
          <TaskLine key={task} name={t.taskNames[task]} progress={run.progress[task]} />
        ))}
      </ol>
    </section>
  );
}

function TaskLine({ name, progress }: { name: string; progress: TaskProgress | undefined }) {
  const t = useWords().analyse;
  const stage = progress?.stage ?? "waiting";
  const icon =
    stage === "done" ? (
      <CheckCircleFilled className="is-done" aria-hidden />
    ) : stage === "waiting" ? (
      <ClockCircleOutlined aria-hidden />
    ) : (
      <LoadingOutlined aria-hidden />
    );
  return (
    <li className={`task-line is-${stage}`}>
      {icon}
      <span className="task-line-name">{name}</span>
      <span className="task-line-stage">
        {t.stages[stage]}
        {progress && countText(progress)}
      </span>
    </li>
  );
}

function countText({ stage, numDone, numTotal }: TaskProgress): string {
  if (stage === "reading" && numTotal !== null && numTotal > 1) return ` ${numDone + 1} / ${numTotal}`;
  if ((stage === "vision" || stage === "prefill") && numTotal)
    return ` ${Math.round((100 * numDone) / numTotal)}%`;
  return stage === "writing" && numDone > 0 ? ` ${numDone}` : "";
}

function Seconds({ startedMs }: { startedMs: number }) {
  const t = useWords().analyse;
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.floor((now - startedMs) / 1000));
  return <span className="run-seconds">{seconds > 0 ? t.seconds(seconds) : ""}</span>;
}

function Failed({ error }: { error: unknown }) {
  const t = useWords().analyse;
  const { text, detail } = tell(error);
  const isGone =
    error instanceof ApiError && error.status === 404 && error.param?.startsWith("post.pictures");
  return (
    <Alert
      className="run-failed"
      type="error"
      showIcon
      title={t.failed}
      description={
        <>
          <p>{isGone ? t.picturesGone : text}</p>
          {detail && <p>{detail}</p>}
          <div className="run-ways">
            <Button type="primary" onClick={() => void runAnalysis()}>
              {t.retry}
            </Button>
            <Button onClick={stopAnalysis}>{t.back}</Button>
          </div>
        </>
      }
    />
  );
}
