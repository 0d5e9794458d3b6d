/**
 * What the reader prefers on this device.
 * Owns: language, appearance, side bar, settings of new chats; kept in the browser. Must not know: keys, chats.
 */
import type { ChatSettings } from "../api/types";
import { createStore } from "./store";

export type Appearance = "auto" | "light" | "dark";

export interface Preferences {
  language: "zh" | "en";
  appearance: Appearance;
  isSidebarOpen: boolean;
  newChat: ChatSettings;
  /** Tasks that 分析 runs; null: all but a question of one's own. */
  tasks: string[] | null;
  /** Names of models that the server once called demonstrations; their answers stay marked. */
  demoModels: string[];
}

const PLACE = "kandong.preferences";

/** The first of the browser's languages that we speak; Chinese in any script counts. */
export function languageOf(languages: readonly string[]): "zh" | "en" {
  for (const language of languages) {
    if (/^zh\b/i.test(language)) return "zh";
    if (/^en\b/i.test(language)) return "en";
  }
  return "en";
}

function stored(): Partial<Preferences> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
    return typeof value === "object" && value !== null ? (value as Partial<Preferences>) : {};
  } catch {
    return {};
  }
}

function initial(): Preferences {
  const found = stored();
  return {
    language:
      found.language === "zh" || found.language === "en" ? found.language : languageOf(navigator.languages),
    appearance: found.appearance === "light" || found.appearance === "dark" ? found.appearance : "auto",
    isSidebarOpen: found.isSidebarOpen !== false,
    newChat: typeof found.newChat === "object" && found.newChat !== null ? found.newChat : {},
    tasks: Array.isArray(found.tasks) ? found.tasks.map(String) : null,
    demoModels: Array.isArray(found.demoModels) ? found.demoModels.map(String) : [],
  };
}

export const preferences = createStore<Preferences>(initial());

preferences.subscribe(() => {
  try {
    localStorage.setItem(PLACE, JSON.stringify(preferences.get()));
  } catch {
    // A browser that keeps nothing still works; it only forgets.
  }
});
