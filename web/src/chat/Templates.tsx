/** Questions one click away: sent at once where there is a picture to ask about, else put into the field. */
import {
  AimOutlined,
  FileTextOutlined,
  FundViewOutlined,
  MehOutlined,
  PictureOutlined,
  TagsOutlined,
} from "@ant-design/icons";
import type { ReactNode } from "react";
import { useWords } from "../i18n";
import { composerStore, draftKey, draftOf, setText } from "../state/composer";
import { useStore } from "../state/store";
import { threadStore } from "../state/thread";
import { QUESTION_ID } from "./Composer";
import { submitDraft } from "./submit";
import { TEMPLATES, type TemplateName } from "./templates";

const ICONS: Record<TemplateName, ReactNode> = {
  analysis: <FundViewOutlined aria-hidden />,
  describe: <PictureOutlined aria-hidden />,
  text: <FileTextOutlined aria-hidden />,
  price: <TagsOutlined aria-hidden />,
  claims: <AimOutlined aria-hidden />,
  mood: <MehOutlined aria-hidden />,
};

export function Templates() {
  const t = useWords();
  const chatId = useStore(threadStore, (value) => value.id);
  const hasAsked = useStore(
    threadStore,
    (value) => value.conversation?.messages.some((m) => m.files.length > 0) ?? false,
  );
  const key = draftKey(chatId);
  const hasDrafted = useStore(composerStore, (value) => draftOf(value.drafts, key).pictures.length > 0);
  const choose = (prompt: string) => {
    if (hasAsked || hasDrafted) {
      void submitDraft(key, prompt);
    } else {
      setText(key, prompt);
      document.getElementById(QUESTION_ID)?.focus();
    }
  };
  return (
    <ul className="templates" aria-label={t.composer.templates}>
      {TEMPLATES.map(({ name, prompt }) => (
        <li key={name}>
          <button type="button" className="template" title={prompt} onClick={() => choose(prompt)}>
            {ICONS[name]}
            <span>{t.templates[name].name}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
