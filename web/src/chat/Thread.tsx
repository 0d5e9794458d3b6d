/** The messages of the open chat, kept scrolled to the newest unless the reader looked back. */
import { ArrowDownOutlined } from "@ant-design/icons";
import { Alert, Button, Skeleton } from "antd";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { ApiError } from "../api/client";
import type { Message } from "../api/types";
import { useWords } from "../i18n";
import { tell } from "../state/failures";
import { useStore } from "../state/store";
import { type PendingQuestion, threadStore } from "../state/thread";
import { AssistantMessage } from "./AssistantMessage";
import { PostNote } from "./PostNote";
import { StageLine } from "./StageLine";
import { ANALYSIS_PROMPT } from "./templates";
import { Pictures, UserMessage } from "./UserMessage";

const NEAR_BOTTOM_PX = 80;

export function Thread() {
  const t = useWords();
  const { conversation, pending, live, isLoading, error, announcement } = useStore(
    threadStore,
    (value) => value,
  );
  const { scroller, isAway, toBottom } = useStickyBottom(
    live?.text.length ?? 0,
    conversation?.messages.length ?? 0,
    pending,
  );
  if (isLoading) return <Loading />;
  if (error) return <LoadError error={error} />;
  const messages = conversation?.messages ?? [];
  const lastId = messages.at(-1)?.id;
  return (
    <div className="thread-frame">
      <div className="thread" ref={scroller}>
        <div
          className="thread-inner"
          role="log"
          aria-live="off"
          aria-busy={live !== null}
          aria-label={t.thread.log}
        >
          {conversation?.settings.post_text && <PostNote text={conversation.settings.post_text} />}
          {messages.map((message, index) =>
            message.role === "user" ? (
              <UserMessage key={message.id} message={message} canEdit={live === null} />
            ) : (
              <AssistantMessage
                key={message.id}
                message={message}
                live={message.id === lastId && message.status === "running" ? live : null}
                isLast={message.id === lastId}
                isAnalysis={isAnalysis(messages, index)}
              />
            ),
          )}
          {pending && <Pending question={pending} />}
          {live?.stage === "sending" && <StageLine live={live} />}
        </div>
      </div>
      {isAway && (
        <Button
          className="to-bottom"
          shape="circle"
          aria-label={t.thread.toBottom}
          title={t.thread.toBottom}
          icon={<ArrowDownOutlined />}
          onClick={toBottom}
        />
      )}
      <div className="sr-only" role="status">
        {announcement}
      </div>
    </div>
  );
}

function isAnalysis(messages: Message[], index: number): boolean {
  return messages[index - 1]?.text.trim() === ANALYSIS_PROMPT;
}

function Pending({ question }: { question: PendingQuestion }) {
  return (
    <article className="message is-user is-pending">
      <Pictures pictures={question.pictures.filter((picture) => picture.url !== "")} />
      {question.text !== "" && (
        <div className="pending-text">
          <span className="plain">{question.text}</span>
        </div>
      )}
    </article>
  );
}

function Loading() {
  return (
    <div className="thread">
      <div className="thread-inner" aria-busy>
        <Skeleton active paragraph={{ rows: 2 }} title={false} />
        <Skeleton active paragraph={{ rows: 4 }} title={false} />
      </div>
    </div>
  );
}

function LoadError({ error }: { error: unknown }) {
  const t = useWords().thread;
  const isGone = error instanceof ApiError && error.status === 404;
  return (
    <div className="thread">
      <div className="thread-inner">
        <Alert
          type="warning"
          showIcon
          title={t.loadFailed}
          description={isGone ? t.notFound : tell(error).text}
        />
      </div>
    </div>
  );
}

function useStickyBottom(numChars: number, numMessages: number, pending: unknown) {
  const scroller = useRef<HTMLDivElement>(null);
  const isStuck = useRef(true);
  const [isAway, setAway] = useState(false);
  const toBottom = useCallback(() => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, []);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const onScroll = () => {
      const isNear = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_BOTTOM_PX;
      isStuck.current = isNear;
      setAway(!isNear);
    };
    const inner = element.firstElementChild;
    const observer = new ResizeObserver(() => {
      if (isStuck.current) toBottom();
      else onScroll();
    });
    if (inner) observer.observe(inner);
    observer.observe(element);
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", onScroll);
    };
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: more text moves the end
  useLayoutEffect(() => {
    if (isStuck.current) toBottom();
  }, [numChars, toBottom]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new message is always shown
  useLayoutEffect(() => {
    isStuck.current = true;
    toBottom();
  }, [numMessages, pending, toBottom]);
  return { scroller, isAway, toBottom };
}
