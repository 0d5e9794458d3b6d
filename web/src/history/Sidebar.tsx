/** The side bar: new chat, search, the list of chats, and the way to the rest. */
import {
  DashboardOutlined,
  EditOutlined,
  FileSearchOutlined,
  MenuFoldOutlined,
  MoreOutlined,
  SearchOutlined,
} from "@ant-design/icons";
import { Button, Dropdown, type MenuProps } from "antd";
import { useRef } from "react";
import { Logo } from "../app/Logo";
import { useWords } from "../i18n";
import { exportChats, historyStore, importChats, searchFor } from "../state/history";
import { closePanel, openPanel } from "../state/panels";
import { preferences } from "../state/preferences";
import { go, routeStore } from "../state/route";
import { useStore } from "../state/store";
import { HistoryList } from "./HistoryList";

export const SEARCH_ID = "search";

export function Sidebar({ isPhone, isOpen }: { isPhone: boolean; isOpen: boolean }) {
  const t = useWords();
  const route = useStore(routeStore, (value) => value.route);
  const query = useStore(historyStore, (value) => value.query);
  const close = () => (isPhone ? closePanel() : preferences.set({ isSidebarOpen: false }));
  const open = (place: Parameters<typeof go>[0]) => {
    go(place);
    if (isPhone) closePanel();
  };
  return (
    <nav className="sidebar" aria-label={t.nav.main} inert={!isOpen}>
      <div className="sidebar-head">
        <Logo size={28} />
        <span className="sidebar-name">{t.appName}</span>
        <Button
          type="text"
          aria-label={t.nav.closeMenu}
          title={t.nav.closeMenu}
          icon={<MenuFoldOutlined />}
          onClick={close}
        />
      </div>
      <button type="button" className="nav-button is-new" onClick={() => open({ name: "chat", id: null })}>
        <EditOutlined aria-hidden />
        <span>{t.nav.newChat}</span>
      </button>
      <button
        type="button"
        className="nav-button"
        aria-current={route.name === "analyse" ? "page" : undefined}
        onClick={() => open({ name: "analyse" })}
      >
        <FileSearchOutlined aria-hidden />
        <span>{t.nav.analyse}</span>
      </button>
      <label className="search">
        <SearchOutlined aria-hidden />
        <input
          id={SEARCH_ID}
          type="search"
          value={query}
          placeholder={t.nav.search}
          aria-label={t.nav.search}
          autoComplete="off"
          onChange={(event) => searchFor(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && searchFor("")}
        />
      </label>
      <HistoryList onOpen={(id) => open({ name: "chat", id })} />
      <div className="sidebar-foot">
        <button
          type="button"
          className="nav-button"
          aria-current={route.name === "system" ? "page" : undefined}
          onClick={() => open({ name: "system" })}
        >
          <DashboardOutlined aria-hidden />
          <span>{t.nav.system}</span>
        </button>
        <More />
      </div>
    </nav>
  );
}

function More() {
  const t = useWords();
  const language = useStore(preferences, (value) => value.language);
  const file = useRef<HTMLInputElement>(null);
  const items: MenuProps["items"] = [
    { key: "settings", label: t.settings.title, onClick: () => openPanel("settings") },
    {
      key: "language",
      label: language === "zh" ? t.settings.language.en : t.settings.language.zh,
      onClick: () => preferences.set({ language: language === "zh" ? "en" : "zh" }),
    },
    { key: "shortcuts", label: t.shortcuts.title, onClick: () => openPanel("shortcuts") },
    { type: "divider" },
    { key: "export", label: t.history.exportAll, onClick: () => void exportChats() },
    { key: "import", label: t.history.importAll, onClick: () => file.current?.click() },
  ];
  const onFile = (event: React.ChangeEvent<HTMLInputElement>) => {
    const chosen = event.target.files?.[0];
    if (chosen) void importChats(chosen);
    event.target.value = "";
  };
  return (
    <>
      <Dropdown menu={{ items }} trigger={["click"]} placement="topRight">
        <Button type="text" aria-label={t.nav.more} title={t.nav.more} icon={<MoreOutlined />} />
      </Dropdown>
      <input
        ref={file}
        type="file"
        accept="application/json,.json"
        hidden
        aria-label={t.history.importAll}
        data-testid="import"
        onChange={onFile}
      />
    </>
  );
}
