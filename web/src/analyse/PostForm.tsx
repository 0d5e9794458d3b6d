/** The post that is to be looked at, and what is wanted of it. Owns: the fields. Must not know: running, reports. */
import { DownOutlined } from "@ant-design/icons";
import { Button } from "antd";
import type { ReactNode } from "react";
import { useId, useState } from "react";
import { TASKS } from "../api/reports";
import { PictureButtons } from "../chat/Composer";
import { DraftPictures } from "../chat/DraftPictures";
import { GrowingTextArea } from "../chat/GrowingTextArea";
import { useWords } from "../i18n";
import { addPictures, composerStore, draftOf, POST_KEY, setText } from "../state/composer";
import {
  chosenTasks,
  type Facts,
  isPriceWrong,
  type PostInput,
  postStore,
  setFact,
  toggleTask,
} from "../state/post";
import { preferences } from "../state/preferences";
import { useStore } from "../state/store";
import { POST_TEXT_ID } from "./ids";

export function PostForm({
  isAgain,
  isBusy,
  onRun,
}: {
  isAgain: boolean;
  isBusy: boolean;
  onRun: () => void;
}) {
  const t = useWords().analyse;
  const draft = useStore(composerStore, (value) => draftOf(value.drafts, POST_KEY));
  const facts = useStore(postStore, (value) => value.facts);
  const stored = useStore(preferences, (value) => value.tasks);
  const tasks = chosenTasks(stored);
  const isEmpty = draft.text.trim() === "" && draft.pictures.length === 0;
  const hasFailed = draft.pictures.some((picture) => picture.error !== null);
  const isWrong = isPriceWrong(facts.price) || isPriceWrong(facts.listPrice);
  const canRun = !isEmpty && tasks.length > 0 && !hasFailed && !isWrong && !isBusy;
  const why = isEmpty ? t.needPost : tasks.length === 0 ? t.needTask : isWrong ? t.priceWrong : "";
  const run = () => canRun && onRun();
  return (
    <form
      className="post-form"
      aria-label={t.post}
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.nativeEvent.isComposing) {
          event.preventDefault();
          run();
        }
      }}
    >
      <div className="post-card">
        {draft.pictures.length > 0 && (
          <DraftPictures draftId={POST_KEY} pictures={draft.pictures} label={t.pictures} />
        )}
        <GrowingTextArea
          id={POST_TEXT_ID}
          className="post-text"
          aria-label={t.text}
          placeholder={t.textPlaceholder}
          rows={3}
          value={draft.text}
          onChange={(event) => setText(POST_KEY, event.target.value)}
        />
        <div className="post-bar">
          <PictureButtons onFiles={(files) => addPictures(POST_KEY, files)} />
          <span className="post-drop-hint">{draft.pictures.length === 0 ? t.dropHint : ""}</span>
        </div>
      </div>
      <fieldset className="tasks">
        <legend>{t.tasks}</legend>
        <div className="task-list">
          {TASKS.map((task) => (
            <label key={task} className="task" title={t.taskHints[task]}>
              <input type="checkbox" checked={tasks.includes(task)} onChange={() => toggleTask(task)} />
              <span className="task-sign" aria-hidden />
              {t.taskNames[task]}
            </label>
          ))}
        </div>
      </fieldset>
      {tasks.includes("ask") && <QuestionField />}
      <MoreFields />
      <div className="post-run">
        <Button type="primary" size="large" htmlType="submit" disabled={!canRun} loading={isBusy}>
          {isAgain ? t.rerun : t.run}
        </Button>
        <span className="post-note" role="status">
          {why || (canRun ? t.runHint : "")}
        </span>
      </div>
    </form>
  );
}

function QuestionField() {
  const t = useWords().analyse;
  const question = useStore(postStore, (value) => value.question);
  return (
    <Labelled label={t.question}>
      {(id) => (
        <input
          id={id}
          className="text-field"
          value={question}
          maxLength={4000}
          placeholder={t.questionPlaceholder}
          onChange={(event) => postStore.set({ question: event.target.value })}
        />
      )}
    </Labelled>
  );
}

function numFilled({ comments, platform, facts }: PostInput): number {
  return [comments, platform, ...Object.values(facts)].filter((value) => value.trim() !== "").length;
}

function MoreFields() {
  const t = useWords().analyse;
  const post = useStore(postStore, (value) => value);
  const [isOpen, setOpen] = useState(false);
  const filled = numFilled(post);
  return (
    <details className="more" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <DownOutlined className="more-sign" aria-hidden />
        {t.more}
        {filled > 0 && <span className="badge is-on">{t.filled(filled)}</span>}
      </summary>
      <p className="more-hint">{t.moreHint}</p>
      <div className="more-fields">
        <FactField name="name" />
        <FactField name="specification" />
        <FactField name="price" isPrice />
        <FactField name="listPrice" isPrice />
        <FactField name="gifts" hint={t.giftsHint} />
        <FactField name="certificates" hint={t.certificatesHint} />
        <Labelled label={t.platform}>
          {(id) => (
            <select
              id={id}
              className="text-field"
              value={post.platform}
              onChange={(event) => postStore.set({ platform: event.target.value })}
            >
              {Object.entries(t.platforms).map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Labelled>
        <Labelled label={t.comments} isWide>
          {(id) => (
            <GrowingTextArea
              id={id}
              className="text-field"
              rows={2}
              value={post.comments}
              onChange={(event) => postStore.set({ comments: event.target.value })}
            />
          )}
        </Labelled>
      </div>
    </details>
  );
}

function FactField({ name, hint, isPrice = false }: { name: keyof Facts; hint?: string; isPrice?: boolean }) {
  const t = useWords().analyse;
  const value = useStore(postStore, (now) => now.facts[name]);
  const isWrong = isPrice && isPriceWrong(value);
  return (
    <Labelled label={t.facts[name]} error={isWrong ? t.priceWrong : undefined}>
      {(id, errorId) => (
        <input
          id={id}
          className="text-field"
          value={value}
          maxLength={500}
          placeholder={hint}
          inputMode={isPrice ? "decimal" : "text"}
          aria-invalid={isWrong}
          aria-describedby={isWrong ? errorId : undefined}
          onChange={(event) => setFact(name, event.target.value)}
        />
      )}
    </Labelled>
  );
}

function Labelled({
  label,
  error,
  isWide = false,
  children,
}: {
  label: string;
  error?: string | undefined;
  isWide?: boolean;
  children: (id: string, errorId: string) => ReactNode;
}) {
  const id = useId();
  return (
    <div className={isWide ? "labelled is-wide" : "labelled"}>
      <label htmlFor={id}>{label}</label>
      {children(id, `${id}e`)}
      {error && (
        <span className="field-error" id={`${id}e`}>
          {error}
        </span>
      )}
    </div>
  );
}
