/** One question: its pictures and words, and editing it. Must not know: the network. */
import { EditOutlined } from "@ant-design/icons";
import Bubble from "@ant-design/x/es/bubble";
import { Button } from "antd";
import { useState } from "react";
import type { Message } from "../api/types";
import { useWords } from "../i18n";
import { notifyError } from "../state/failures";
import { ask } from "../state/thread";
import { CopyButton } from "./CopyButton";
import { GrowingTextArea } from "./GrowingTextArea";
import { Thumbnail } from "./Picture";
import { type ViewedPicture, viewPictures } from "./Viewer";

export function Pictures({ pictures }: { pictures: ViewedPicture[] }) {
  const t = useWords();
  if (pictures.length === 0) return null;
  return (
    <div className={pictures.length === 1 ? "message-pictures is-single" : "message-pictures"}>
      {pictures.map((picture, index) => (
        <button
          key={picture.fileId ?? picture.url ?? index}
          type="button"
          className="picture-button"
          aria-label={t.composer.viewPicture(picture.name)}
          onClick={() => viewPictures(pictures, index)}
        >
          <Thumbnail
            fileId={picture.fileId}
            url={picture.url ?? null}
            alt={t.message.picture(picture.name)}
          />
        </button>
      ))}
    </div>
  );
}

export function UserMessage({ message, canEdit }: { message: Message; canEdit: boolean }) {
  const t = useWords();
  const [isEditing, setEditing] = useState(false);
  const pictures = message.files.map((file) => ({ name: file.filename, fileId: file.id }));
  return (
    <article className="message is-user" aria-label={t.thread.you}>
      <Pictures pictures={pictures} />
      {isEditing ? (
        <Editor message={message} onClose={() => setEditing(false)} />
      ) : (
        <>
          {message.text !== "" && (
            <Bubble
              placement="end"
              content={message.text}
              contentRender={(text) => <span className="plain">{String(text)}</span>}
            />
          )}
          <div className="message-actions">
            {message.text !== "" && <CopyButton text={message.text} />}
            {canEdit && (
              <Button
                type="text"
                size="small"
                aria-label={t.message.edit}
                title={t.message.edit}
                icon={<EditOutlined />}
                onClick={() => setEditing(true)}
              />
            )}
          </div>
        </>
      )}
    </article>
  );
}

function Editor({ message, onClose }: { message: Message; onClose: () => void }) {
  const t = useWords();
  const [text, setText] = useState(message.text);
  const canSend = text.trim() !== "" || message.files.length > 0;
  const submit = async () => {
    if (!canSend) return;
    const previews = message.files.map((file) => ({ url: "", name: file.filename }));
    try {
      await ask({ text: text.trim(), files: message.files, previews, replaceFrom: message.id });
    } catch (error) {
      notifyError(error);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onClose();
    }
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      void submit();
    }
  };
  return (
    <div className="editor">
      <GrowingTextArea
        aria-label={t.message.editLabel}
        value={text}
        autoFocus
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="editor-actions">
        <span className="editor-hint">{t.message.editHint}</span>
        <Button size="small" onClick={onClose}>
          {t.message.cancel}
        </Button>
        <Button size="small" type="primary" disabled={!canSend} onClick={() => void submit()}>
          {t.message.save}
        </Button>
      </div>
    </div>
  );
}
