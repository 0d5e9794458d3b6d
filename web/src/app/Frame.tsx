/** The page's frame: side bar, top bar, the open place, and what lies over it. */
import { EditOutlined, MenuOutlined, MenuUnfoldOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { lazy, Suspense, useEffect } from "react";
import { POST_TEXT_ID, REPORT_ID } from "../analyse/ids";
import { ChatPage } from "../chat/ChatPage";
import { QUESTION_ID } from "../chat/Composer";
import { DropZone } from "../chat/DropZone";
import { Viewer } from "../chat/Viewer";
import { Sidebar } from "../history/Sidebar";
import { useWords } from "../i18n";
import { historyStore } from "../state/history";
import { closePanel, openPanel, panelStore } from "../state/panels";
import { preferences } from "../state/preferences";
import { go, routeStore } from "../state/route";
import { refreshSession, sessionStore } from "../state/session";
import { useStore } from "../state/store";
import { threadStore } from "../state/thread";
import { useMedia, useShortcuts } from "./hooks";
import { Notices } from "./Notices";

const AnalysePage = lazy(() => import("../analyse/AnalysePage"));
const SystemPage = lazy(() => import("../system/SystemPage"));
const SettingsPanel = lazy(() => import("../panels/SettingsPanel"));
const ShortcutsPanel = lazy(() => import("../panels/ShortcutsPanel"));
const KeyDialog = lazy(() => import("../panels/KeyDialog"));

const PHONE = "(max-width: 767px)";

/** Go past the navigation to what the open place is for. */
function skip(): void {
  const found = [QUESTION_ID, REPORT_ID, POST_TEXT_ID].map((id) => document.getElementById(id)).find(Boolean);
  found?.focus();
}

export function Frame() {
  const t = useWords();
  const isPhone = useMedia(PHONE);
  const route = useStore(routeStore, (value) => value.route);
  const panel = useStore(panelStore, (value) => value.open);
  const isWide = useStore(preferences, (value) => value.isSidebarOpen);
  const isSidebarOpen = isPhone ? panel === "sidebar" : isWide;
  const title = useTitle();
  const place = route.name === "chat" ? title : t.nav[route.name];
  useShortcuts(isPhone);
  useEffect(() => {
    void refreshSession();
    const onVisible = () => document.visibilityState === "visible" && void refreshSession();
    document.addEventListener("visibilitychange", onVisible);
    return () => document.removeEventListener("visibilitychange", onVisible);
  }, []);
  useEffect(() => {
    document.title = place ? `${place} · ${t.appName}` : t.appName;
  }, [place, t]);
  return (
    <div className={`frame${isSidebarOpen ? " has-sidebar" : ""}${isPhone ? " is-phone" : ""}`}>
      <button type="button" className="skip" onClick={skip}>
        {t.nav.skip}
      </button>
      <Sidebar isPhone={isPhone} isOpen={isSidebarOpen} />
      {isPhone && isSidebarOpen && (
        <button type="button" className="scrim" aria-label={t.nav.closeMenu} onClick={closePanel} />
      )}
      <main className="main" inert={isPhone && isSidebarOpen}>
        <TopBar isPhone={isPhone} isSidebarOpen={isSidebarOpen} title={place} />
        {route.name === "chat" ? (
          <ChatPage id={route.id} isPhone={isPhone} />
        ) : (
          <Suspense fallback={null}>{route.name === "system" ? <SystemPage /> : <AnalysePage />}</Suspense>
        )}
      </main>
      <DropZone />
      <Viewer />
      <Notices />
      <Panels isPhone={isPhone} />
    </div>
  );
}

/** The open chat's name: the list is told of a new one first. */
function useTitle(): string {
  const id = useStore(threadStore, (value) => value.id);
  const own = useStore(threadStore, (value) => value.conversation?.title ?? "");
  const listed = useStore(historyStore, (value) => value.list.find((item) => item.id === id)?.title);
  return listed ?? own;
}

function TopBar({
  isPhone,
  isSidebarOpen,
  title,
}: {
  isPhone: boolean;
  isSidebarOpen: boolean;
  title: string;
}) {
  const t = useWords();
  const openSidebar = () => (isPhone ? openPanel("sidebar") : preferences.set({ isSidebarOpen: true }));
  return (
    <div className="topbar">
      {!isSidebarOpen && (
        <Button
          type="text"
          aria-label={t.nav.menu}
          title={t.nav.menu}
          icon={isPhone ? <MenuOutlined /> : <MenuUnfoldOutlined />}
          onClick={openSidebar}
        />
      )}
      <span className="topbar-title">{title}</span>
      <ModelChip />
      {(isPhone || !isSidebarOpen) && (
        <Button
          type="text"
          aria-label={t.nav.newChat}
          title={t.nav.newChat}
          icon={<EditOutlined />}
          onClick={() => go({ name: "chat", id: null })}
        />
      )}
    </div>
  );
}

function ModelChip() {
  const t = useWords();
  const model = useStore(sessionStore, (value) => value.session?.model ?? null);
  if (model === null) return null;
  const name = model.name?.split("/").at(-1) ?? "";
  const state = model.is_demo ? t.model.demo : t.system.states[model.state];
  return (
    <button
      type="button"
      className={`model-chip is-${model.state}`}
      title={t.model.seeSystem}
      onClick={() => go({ name: "system" })}
    >
      <span className="model-dot" aria-hidden />
      {name && <span className="model-name">{name}</span>}
      <span className="model-state">{state}</span>
    </button>
  );
}

function Panels({ isPhone }: { isPhone: boolean }) {
  const panel = useStore(panelStore, (value) => value.open);
  const needsKey = useStore(sessionStore, (value) => value.needsKey);
  return (
    <Suspense fallback={null}>
      {panel === "settings" && <SettingsPanel isPhone={isPhone} />}
      {panel === "shortcuts" && <ShortcutsPanel />}
      {needsKey && <KeyDialog />}
    </Suspense>
  );
}
