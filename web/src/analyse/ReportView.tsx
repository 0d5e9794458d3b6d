/** A finished report: the verdict, what changed, a part for each task, what was not checked. */
import {
  CommentOutlined,
  DownloadOutlined,
  ExclamationCircleOutlined,
  FileExcelOutlined,
  InfoCircleOutlined,
} from "@ant-design/icons";
import { Button } from "antd";
import { type Report, TASKS, type Task } from "../api/reports";
import { useWords } from "../i18n";
import { askAboutPost, type Shown, saveExcel, saveJson } from "../state/analysis";
import { preferences } from "../state/preferences";
import { useStore } from "../state/store";
import { durationText } from "../state/units";
import { ChangesNote } from "./ChangesNote";
import { ExtractSection } from "./ExtractSection";
import type { Finding } from "./findings";
import { REPORT_ID } from "./ids";
import { ModerateSection } from "./ModerateSection";
import { AskSection, DescribeSection, SentimentSection } from "./OtherSections";
import { ReadSection } from "./ReadSection";
import { VERDICT_ICONS } from "./signs";

export function ReportView({ shown, findings }: { shown: Shown; findings: Finding[] }) {
  const t = useWords().analyse;
  const { reports } = shown.set;
  const tasks = TASKS.filter((task) => reports[task]);
  return (
    <div className="report" id={REPORT_ID} tabIndex={-1}>
      <Verdict shown={shown} />
      {shown.changes && <ChangesNote changes={shown.changes} />}
      {tasks.length > 1 && (
        <nav className="section-links" aria-label={t.sections}>
          {tasks.map((task) => (
            <SectionLink key={task} task={task} count={countOf(task, findings)} />
          ))}
        </nav>
      )}
      {tasks.map((task) => (
        <Section
          key={task}
          report={reports[task] as Report}
          findings={findings.filter((one) => one.task === task)}
        />
      ))}
    </div>
  );
}

function countOf(task: Task, findings: Finding[]): number {
  return findings.filter(
    (one) =>
      one.task === task &&
      !(one.content.kind === "field" && one.content.field.status === "missing") &&
      !(task === "read" && one.content.kind !== "line"),
  ).length;
}

function SectionLink({ task, count }: { task: Task; count: number }) {
  const t = useWords().analyse;
  const open = () => {
    const part = document.getElementById(`part-${task}`);
    part?.scrollIntoView({ block: "start" });
    part?.focus({ preventScroll: true });
  };
  return (
    <button type="button" className="section-link" onClick={open}>
      {t.taskShort[task]}
      {count > 0 && <span className="count">{count}</span>}
    </button>
  );
}

function Verdict({ shown }: { shown: Shown }) {
  const t = useWords().analyse;
  const result = shown.set.reports.moderate?.result;
  return (
    <header className={`verdict is-${result?.suggestion ?? "none"}`}>
      {result ? (
        <div className="verdict-words">
          <span className="verdict-icon">{VERDICT_ICONS[result.suggestion]}</span>
          <div>
            <h1>
              {t.suggestion[result.suggestion]}
              <span className={`verdict-tag is-${result.suggestion}`}>
                {t.suggestionShort[result.suggestion]}
              </span>
            </h1>
            <p>{t.suggestionText[result.suggestion]}</p>
            <p className="finding-facts">
              {t.risk[result.risk_level]} · {result.is_ad.value ? t.isAd : t.isNoAd}
            </p>
          </div>
        </div>
      ) : (
        <h1>{t.report}</h1>
      )}
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields */}
      <div className="verdict-actions" role="group" aria-label={t.actions}>
        <Button type="primary" icon={<CommentOutlined />} onClick={() => askAboutPost(shown)}>
          {t.askAbout}
        </Button>
        <Button icon={<DownloadOutlined />} onClick={() => saveJson(shown)}>
          {t.json}
        </Button>
        <Button icon={<FileExcelOutlined />} onClick={() => void saveExcel(shown)}>
          {t.excel}
        </Button>
      </div>
    </header>
  );
}

function Section({ report, findings }: { report: Report; findings: Finding[] }) {
  const words = useWords();
  const t = words.analyse;
  const { task, status, model } = report;
  const isDemo = useStore(preferences, ({ demoModels }) => model != null && demoModels.includes(model.id));
  return (
    <section className="part" id={`part-${task}`} tabIndex={-1} aria-labelledby={`part-${task}-name`}>
      <header>
        <h2 id={`part-${task}-name`}>{t.taskNames[task]}</h2>
        {status !== "ok" && <span className={`status is-${status}`}>{t.status[status]}</span>}
        {isDemo && <span className="status is-partial">{words.message.demo}</span>}
        <span className="part-facts">
          {report.cached ? t.cached : t.tookMs(durationText(report.took_ms, words))}
        </span>
      </header>
      <Body report={report} findings={findings} />
      {report.warnings.length > 0 && (
        <ul className="notes" aria-label={t.warnings}>
          {report.warnings.map((warning) => (
            <li key={warning}>
              <ExclamationCircleOutlined aria-hidden />
              <span lang="zh-CN">{warning}</span>
            </li>
          ))}
        </ul>
      )}
      {report.unchecked.length > 0 && (
        <details className="unchecked" open={task === "moderate" || status !== "ok"}>
          <summary>
            <InfoCircleOutlined aria-hidden /> {t.unchecked}{" "}
            <span className="count">{report.unchecked.length}</span>
          </summary>
          <ul lang="zh-CN">
            {report.unchecked.map((what) => (
              <li key={what}>{what}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Body({ report, findings }: { report: Report; findings: Finding[] }) {
  switch (report.task) {
    case "moderate":
      return <ModerateSection findings={findings} />;
    case "extract":
      return <ExtractSection report={report as Report<"extract">} findings={findings} />;
    case "sentiment":
      return <SentimentSection report={report as Report<"sentiment">} findings={findings} />;
    case "ask":
      return <AskSection report={report as Report<"ask">} findings={findings} />;
    case "describe":
      return <DescribeSection report={report as Report<"describe">} />;
    case "read":
      return <ReadSection report={report as Report<"read">} findings={findings} />;
  }
}
