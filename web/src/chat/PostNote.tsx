/** The words of the post that a chat is about. Owns: showing them, and leaving them out before the chat begins. */
import { CloseOutlined, FileSearchOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { useWords } from "../i18n";
import { composerStore, dropPostText } from "../state/composer";
import { useStore } from "../state/store";

export function PostNote({ text, draftId }: { text: string; draftId?: string }) {
  const t = useWords().empty;
  return (
    <div className="about-post">
      <details>
        <summary>
          <FileSearchOutlined aria-hidden />
          <span className="about-post-name">{t.aboutPost}</span>
          <span className="about-post-begin" lang="zh-CN">
            {text}
          </span>
        </summary>
        <p className="plain" lang="zh-CN">
          {text}
        </p>
      </details>
      {draftId !== undefined && (
        <Button
          type="text"
          size="small"
          aria-label={t.dropPost}
          title={t.dropPost}
          icon={<CloseOutlined />}
          onClick={() => dropPostText(draftId)}
        />
      )}
    </div>
  );
}

/** The one of a chat that has not begun. */
export function DraftPostNote({ draftId }: { draftId: string }) {
  const text = useStore(composerStore, (value) => value.drafts[draftId]?.postText);
  return text ? <PostNote text={text} draftId={draftId} /> : null;
}
