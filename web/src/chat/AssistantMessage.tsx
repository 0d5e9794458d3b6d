/** One answer: its stage, words, end, and what can be done with it. Must not know: the network. */
import { CheckOutlined, CopyOutlined, ExclamationCircleOutlined, ReloadOutlined } from "@ant-design/icons";
import Bubble from "@ant-design/x/es/bubble";
import { Button, Tag } from "antd";
import { useState } from "react";
import type { Message } from "../api/types";
import { useWords } from "../i18n";
import { tell } from "../state/failures";
import type { Live } from "../state/live";
import { notify } from "../state/notices";
import { preferences } from "../state/preferences";
import { useStore } from "../state/store";
import { answerAgain } from "../state/thread";
import { AnswerFacts } from "./AnswerFacts";
import { AnswerText } from "./AnswerText";
import { EvidenceMarks } from "./EvidenceMarks";
import { StageLine } from "./StageLine";
import { ANALYSIS_MAX_CHARS, countChars } from "./templates";

interface Props {
  message: Message;
  live: Live | null;
  isLast: boolean;
  /** The question was the standard analysis, whose length is promised. */
  isAnalysis: boolean;
}

export function AssistantMessage({ message, live, isLast, isAnalysis }: Props) {
  const t = useWords();
  const demoModels = useStore(preferences, (value) => value.demoModels);
  const text = live ? live.text : message.text;
  const isDemo = message.model !== null && demoModels.includes(message.model);
  return (
    <article className="message is-assistant" aria-label={t.appName}>
      {isDemo && <Tag className="demo-tag">{t.message.demo}</Tag>}
      {text !== "" && (
        <Bubble
          variant="borderless"
          content={text}
          contentRender={(words) => <AnswerText text={String(words)} isStreaming={live !== null} />}
        />
      )}
      {live ? <StageLine live={live} /> : <Ending message={message} />}
      {!live && <EvidenceMarks message={message} />}
      {!live && (
        <div className="message-actions">
          {text !== "" && <CopyButton text={text} />}
          {isLast && (
            <Button
              type="text"
              size="small"
              aria-label={t.message.retry}
              title={t.message.retry}
              icon={<ReloadOutlined />}
              onClick={() => void answerAgain()}
            />
          )}
          <AnswerFacts message={message} />
          {isAnalysis && text !== "" && <LengthMark text={text} />}
        </div>
      )}
    </article>
  );
}

function LengthMark({ text }: { text: string }) {
  const t = useWords().message;
  const count = countChars(text);
  const isOver = count > ANALYSIS_MAX_CHARS;
  return (
    <span className={isOver ? "length-mark is-over" : "length-mark"}>
      {isOver ? <ExclamationCircleOutlined aria-hidden /> : <CheckOutlined aria-hidden />}{" "}
      {isOver ? t.charsOver(count, ANALYSIS_MAX_CHARS) : t.chars(count, ANALYSIS_MAX_CHARS)}
    </span>
  );
}

function Ending({ message }: { message: Message }) {
  const t = useWords();
  const error = message.error ? tell(message.error) : null;
  if (message.status === "failed")
    return (
      <div className="ending is-error" role="alert">
        <strong>{t.message.failed}</strong>
        <span>{error ? error.text : t.errors.unknown}</span>
        {error?.detail && <span className="ending-detail">{error.detail}</span>}
        <Button size="small" icon={<ReloadOutlined />} onClick={() => void answerAgain()}>
          {t.errors.retry}
        </Button>
      </div>
    );
  const notes: string[] = [];
  if (message.status === "stopped") notes.push(t.message.stopped);
  if (message.status === "interrupted") notes.push(t.message.interrupted);
  if (message.stopped_by !== null) notes.push(t.message.loop);
  else if (message.finish_reason === "length") notes.push(t.message.length);
  if (message.dropped_rounds > 0) notes.push(t.message.dropped(message.dropped_rounds));
  if (message.status === "complete" && message.text === "") notes.push(t.message.emptyAnswer);
  return notes.map((note) => (
    <div key={note} className="ending">
      {note}
    </div>
  ));
}

const COPIED_MS = 2_000;

/** Copy to the clipboard; also where the page is not on a secure address and the clipboard API is missing. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("copy");
}

export function CopyButton({ text }: { text: string }) {
  const t = useWords();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await copyText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), COPIED_MS);
    } catch {
      notify({ kind: "error", text: t.errors.unknown });
    }
  };
  const label = isCopied ? t.message.copied : t.message.copy;
  return (
    <Button
      type="text"
      size="small"
      aria-label={label}
      title={label}
      icon={isCopied ? <CheckOutlined /> : <CopyOutlined />}
      onClick={() => void copy()}
    />
  );
}
