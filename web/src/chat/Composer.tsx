/** Where a question is written. Owns: the field, its pictures and buttons. Must not know: how a question is answered. */
import { CameraOutlined, PictureOutlined, SettingOutlined } from "@ant-design/icons";
import Sender from "@ant-design/x/es/sender";
import { Button } from "antd";
import { useEffect, useRef, useState } from "react";
import { useWords } from "../i18n";
import { addPictures, composerStore, draftKey, draftOf, setText } from "../state/composer";
import { openPanel } from "../state/panels";
import { sessionStore } from "../state/session";
import { useStore } from "../state/store";
import { stop, threadStore } from "../state/thread";
import { DraftPictures } from "./DraftPictures";
import { GrowingTextArea } from "./GrowingTextArea";
import { DraftPostNote } from "./PostNote";
import { submitDraft } from "./submit";

const PICTURE_TYPES = "image/*";
/** The field's id, for the skip link and for focus after an answer. */
export const QUESTION_ID = "question";

function Question(props: React.ComponentProps<typeof GrowingTextArea>) {
  return <GrowingTextArea {...props} id={QUESTION_ID} aria-label={useWords().composer.label} />;
}
const PARTS = { input: Question as never };

export function Composer({ isPhone }: { isPhone: boolean }) {
  const t = useWords().composer;
  const chatId = useStore(threadStore, (value) => value.id);
  const isAnswering = useStore(threadStore, (value) => value.live !== null);
  const hasGeneration = useStore(threadStore, (value) => value.live?.generationId != null);
  const maxChars = useStore(sessionStore, (value) => value.session?.limits.max_text_chars ?? null);
  const key = draftKey(chatId);
  const draft = useStore(composerStore, (value) => draftOf(value.drafts, key));
  const [isWaiting, setWaiting] = useState(false);
  const isTooLong = maxChars !== null && draft.text.length > maxChars;
  const hasFailed = draft.pictures.some((picture) => picture.error !== null);
  const canSend =
    (draft.text.trim() !== "" || draft.pictures.length > 0) && !isTooLong && !hasFailed && !isWaiting;

  useEffect(() => {
    if (!isPhone && chatId !== undefined) document.getElementById(QUESTION_ID)?.focus();
  }, [isPhone, chatId]);

  const submit = async () => {
    if (!canSend || isAnswering) return;
    setWaiting(true);
    await submitDraft(key);
    setWaiting(false);
  };
  const placeholder =
    draft.pictures.length > 0 ? t.placeholderPictures : isPhone ? t.placeholderPhone : t.placeholder;
  return (
    <div className="composer">
      <DraftPostNote draftId={key} />
      <Sender
        value={draft.text}
        onChange={(text) => setText(key, text)}
        onSubmit={() => void submit()}
        loading={isAnswering || isWaiting}
        placeholder={placeholder}
        autoSize={false}
        components={PARTS}
        suffix={false}
        header={draft.pictures.length > 0 ? <DraftPictures draftId={key} pictures={draft.pictures} /> : null}
        footer={(_, { components: { SendButton } }) => (
          <div className="composer-bar">
            <PictureButtons onFiles={(files) => addPictures(key, files)} />
            <Button
              type="text"
              shape="circle"
              aria-label={t.settings}
              title={t.settings}
              icon={<SettingOutlined />}
              onClick={() => openPanel("settings")}
            />
            <span className="composer-note" role="status">
              {isWaiting && draft.pictures.some((picture) => picture.file === null)
                ? t.waitingForUploads
                : ""}
              {isTooLong && maxChars !== null ? t.tooLong(maxChars) : ""}
            </span>
            {isAnswering ? (
              <Button
                className="stop-button"
                shape="circle"
                type="primary"
                aria-label={t.stop}
                title={`${t.stop} (Esc)`}
                icon={<span className="stop-square" />}
                disabled={!hasGeneration}
                onClick={() => void stop()}
              />
            ) : (
              <SendButton aria-label={t.send} title={t.send} disabled={!canSend} loading={isWaiting} />
            )}
          </div>
        )}
      />
    </div>
  );
}

export function PictureButtons({ onFiles }: { onFiles: (files: File[]) => void }) {
  const t = useWords().composer;
  const files = useRef<HTMLInputElement>(null);
  const camera = useRef<HTMLInputElement>(null);
  const onChange = (event: React.ChangeEvent<HTMLInputElement>) => {
    onFiles([...(event.target.files ?? [])]);
    event.target.value = "";
  };
  return (
    <>
      <Button
        type="text"
        className="add-pictures"
        aria-label={t.addPictures}
        title={t.addPictures}
        icon={<PictureOutlined />}
        onClick={() => files.current?.click()}
      >
        <span className="add-pictures-text">{t.addPictures}</span>
      </Button>
      <Button
        type="text"
        shape="circle"
        className="camera-button"
        aria-label={t.camera}
        title={t.camera}
        icon={<CameraOutlined />}
        onClick={() => camera.current?.click()}
      />
      <input
        ref={files}
        type="file"
        accept={PICTURE_TYPES}
        multiple
        hidden
        aria-label={t.addPictures}
        data-testid="files"
        onChange={onChange}
      />
      <input
        ref={camera}
        type="file"
        accept={PICTURE_TYPES}
        capture="environment"
        hidden
        aria-label={t.camera}
        onChange={onChange}
      />
    </>
  );
}
