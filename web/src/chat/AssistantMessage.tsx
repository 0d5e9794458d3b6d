/** One answer: its stage, words, end, and what can be done with it. Must not know: the network. */
import { CheckOutlined, ExclamationCircleOutlined, ReloadOutlined } from "@ant-design/icons";
import Bubble from "@ant-design/x/es/bubble";
import { Button, Tag } from "antd";
import type { Message } from "../api/types";
import { useWords } from "../i18n";
import { tell } from "../state/failures";
import type { Live } from "../state/live";
import { preferences } from "../state/preferences";
import { useStore } from "../state/store";
import { answerAgain } from "../state/thread";
import { AnswerFacts } from "./AnswerFacts";
import { AnswerText } from "./AnswerText";
import { CopyButton } from "./CopyButton";
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
