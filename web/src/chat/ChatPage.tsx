/** The chat: empty with a welcome, or its messages, and the field below. */
import { useEffect } from "react";
import { Logo } from "../app/Logo";
import { useWords } from "../i18n";
import { useStore } from "../state/store";
import { openThread, threadStore } from "../state/thread";
import { Composer } from "./Composer";
import { ModelBanner } from "./ModelBanner";
import { Samples } from "./Samples";
import { Templates } from "./Templates";
import { Thread } from "./Thread";

export function ChatPage({ id, isPhone }: { id: string | null; isPhone: boolean }) {
  const t = useWords();
  useEffect(() => void openThread(id), [id]);
  const isEmpty = useStore(
    threadStore,
    (value) =>
      !value.isLoading && !value.error && !value.pending && (value.conversation?.messages.length ?? 0) === 0,
  );
  const isAnswering = useStore(threadStore, (value) => value.live !== null);
  const isBroken = useStore(threadStore, (value) => value.error !== null);
  return (
    <div className={isEmpty ? "chat is-empty" : "chat"}>
      {isEmpty ? (
        <header className="welcome">
          <Logo />
          <h1>{t.empty.title}</h1>
          <p>{t.empty.subtitle}</p>
        </header>
      ) : (
        <Thread />
      )}
      <div className="chat-foot">
        <ModelBanner isEmpty={isEmpty} />
        {!isEmpty && !isAnswering && !isBroken && <Templates />}
        {!isBroken && <Composer isPhone={isPhone} />}
        {isEmpty && <Templates />}
        {!isEmpty && <p className="disclaimer">{t.composer.disclaimer}</p>}
      </div>
      {isEmpty && <Samples />}
    </div>
  );
}
