/** The page's look as Ant Design's tokens; `styles/` uses the same colours as custom properties. */
import { type ThemeConfig, theme } from "antd";

const FONT =
  '-apple-system, BlinkMacSystemFont, "Segoe UI", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", Roboto, "Helvetica Neue", Arial, sans-serif';

const SHARED = { fontFamily: FONT, borderRadius: 10, fontSize: 15, controlHeight: 36, wireframe: false };

/** Give the theme of one appearance. */
export function themeOf(isDark: boolean): ThemeConfig {
  return {
    algorithm: isDark ? theme.darkAlgorithm : theme.defaultAlgorithm,
    token: isDark
      ? {
          ...SHARED,
          colorPrimary: "#2fa58d",
          colorInfo: "#2fa58d",
          colorLink: "#5fcab2",
          colorBgBase: "#161918",
          colorTextBase: "#e8ecea",
        }
      : {
          ...SHARED,
          colorPrimary: "#0b7a66",
          colorInfo: "#0b7a66",
          colorLink: "#0b7a66",
          colorBgBase: "#ffffff",
          colorTextBase: "#1d2321",
        },
    components: {
      Button: {
        primaryShadow: "none",
        defaultShadow: "none",
        dangerShadow: "none",
        // White on the dark theme's own primary would have too little contrast.
        ...(isDark
          ? { colorPrimary: "#14806c", colorPrimaryHover: "#178470", colorPrimaryActive: "#106b5a" }
          : {}),
      },
    },
  };
}
