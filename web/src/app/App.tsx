/** Language, appearance and the policy's nonce for everything below. */
import XProvider from "@ant-design/x/es/x-provider";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import { Component, type ReactNode, useEffect, useMemo } from "react";
import { LANGUAGES } from "../i18n";
import { preferences } from "../state/preferences";
import { useStore } from "../state/store";
import { Frame } from "./Frame";
import { useMedia } from "./hooks";
import { themeOf } from "./theme";

export function App({ nonce }: { nonce: string }) {
  const { language, appearance } = useStore(preferences, (value) => value);
  const isSystemDark = useMedia("(prefers-color-scheme: dark)");
  const isDark = appearance === "dark" || (appearance === "auto" && isSystemDark);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
  }, [language, isDark]);
  const theme = useMemo(() => themeOf(isDark), [isDark]);
  const csp = useMemo(() => ({ nonce }), [nonce]);
  const locale = language === "zh" ? zhCN : enUS;
  return (
    <XProvider
      theme={theme}
      locale={locale as never}
      csp={csp}
      wave={{ disabled: true }}
      button={{ autoInsertSpace: false }}
    >
      <Guard>
        <Frame />
      </Guard>
    </XProvider>
  );
}

/** Shows a way on where a fault of the page would leave it white. */
class Guard extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    const t = LANGUAGES[preferences.get().language].errors;
    return (
      <div className="crash" role="alert">
        <h1>{t.renderTitle}</h1>
        <p>{t.renderText}</p>
        <button type="button" onClick={() => location.reload()}>
          {t.reload}
        </button>
      </div>
    );
  }
}
