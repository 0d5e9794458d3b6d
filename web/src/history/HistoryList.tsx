/** The chats by day, newest first. Owns: grouping, one row's opening, renaming and menu. */
import { EllipsisOutlined } from "@ant-design/icons";
import { Button, Dropdown } from "antd";
import { useEffect, useState } from "react";
import type { ConversationSummary } from "../api/types";
import { useWords } from "../i18n";
import { exportChats, historyStore, loadMore, refreshHistory, remove, rename } from "../state/history";
import { routeStore } from "../state/route";
import { useStore } from "../state/store";
import { threadStore } from "../state/thread";

export type Age = "today" | "yesterday" | "week" | "older";
const DAY_MS = 86_400_000;

/** In which part of the list a time belongs, by calendar days of the reader's clock. */
export function ageOf(updatedAt: string, now: Date): Age {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const time = new Date(updatedAt).getTime();
  if (time >= midnight) return "today";
  if (time >= midnight - DAY_MS) return "yesterday";
  return time >= midnight - 6 * DAY_MS ? "week" : "older";
}

function grouped(list: ConversationSummary[]): [Age, ConversationSummary[]][] {
  const now = new Date();
  const groups = new Map<Age, ConversationSummary[]>();
  for (const item of list) {
    const age = ageOf(item.updated_at, now);
    groups.set(age, [...(groups.get(age) ?? []), item]);
  }
  return [...groups];
}

export function HistoryList({ onOpen }: { onOpen: (id: string) => void }) {
  const words = useWords();
  const t = words.history;
  const label = words.nav.history;
  const { list, nextCursor, query, isLoaded } = useStore(historyStore, (value) => value);
  useEffect(() => void refreshHistory(), []);
  return (
    <section className="history" aria-label={label}>
      {isLoaded && list.length === 0 && <p className="history-empty">{query ? t.nothingFound : t.empty}</p>}
      {grouped(list).map(([age, items]) => (
        <div key={age}>
          <h2 className="history-age">{t[age]}</h2>
          <ul>
            {items.map((item) => (
              <HistoryRow key={item.id} item={item} onOpen={onOpen} />
            ))}
          </ul>
        </div>
      ))}
      {nextCursor !== null && (
        <Button type="text" block size="small" onClick={() => void loadMore()}>
          {t.loadMore}
        </Button>
      )}
    </section>
  );
}

function HistoryRow({ item, onOpen }: { item: ConversationSummary; onOpen: (id: string) => void }) {
  const t = useWords().history;
  const isOpen = useStore(threadStore, (value) => value.id === item.id);
  const isCurrent = useStore(routeStore, ({ route }) => route.name === "chat") && isOpen;
  const [isRenaming, setRenaming] = useState(false);
  const title = item.title || t.untitled;
  if (isRenaming) return <Renaming item={item} onDone={() => setRenaming(false)} />;
  const menu = {
    items: [
      { key: "rename", label: t.rename, onClick: () => setRenaming(true) },
      { key: "export", label: t.exportOne, onClick: () => void exportChats(item.id, title) },
      { key: "delete", label: t.remove, danger: true, onClick: () => void remove(item.id) },
    ],
  };
  return (
    <li className={isCurrent ? "history-row is-current" : "history-row"}>
      <button
        type="button"
        className="history-open"
        aria-current={isCurrent ? "page" : undefined}
        onClick={() => onOpen(item.id)}
      >
        <span className="history-title">{title}</span>
        {item.snippet && <span className="history-snippet">{item.snippet}</span>}
        {item.running_generation_id && (
          <span className="history-running" role="img" aria-label={t.running} title={t.running} />
        )}
      </button>
      <Dropdown menu={menu} trigger={["click"]} placement="bottomRight">
        <Button
          className="history-menu"
          type="text"
          size="small"
          aria-label={t.options(title)}
          icon={<EllipsisOutlined />}
        />
      </Dropdown>
    </li>
  );
}

function Renaming({ item, onDone }: { item: ConversationSummary; onDone: () => void }) {
  const t = useWords().history;
  const [title, setTitle] = useState(item.title);
  const save = () => {
    onDone();
    if (title.trim() !== item.title) void rename(item.id, title);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") save();
    if (event.key === "Escape") {
      event.stopPropagation();
      onDone();
    }
  };
  return (
    <li className="history-row">
      <input
        className="history-rename"
        aria-label={t.renameLabel}
        value={title}
        maxLength={200}
        ref={(element) => element?.focus()}
        onChange={(event) => setTitle(event.target.value)}
        onKeyDown={onKeyDown}
        onBlur={save}
      />
    </li>
  );
}
