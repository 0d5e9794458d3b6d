/** An answer's words: plain at once, formatted as soon as the formatter is loaded. */
import { lazy, Suspense } from "react";

const Markdown = lazy(() => import("./Markdown"));

export function AnswerText({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  return (
    <Suspense fallback={<div className="markdown plain">{text}</div>}>
      <Markdown text={text} isStreaming={isStreaming} />
    </Suspense>
  );
}
