/** Which language the page speaks. Owns: choosing one, and its words. Must not know: who shows them. */

import { preferences } from "../state/preferences";
import { useStore } from "../state/store";
import { en } from "./en";
import { type Dictionary, zh } from "./zh";

export type Language = "zh" | "en";
export const LANGUAGES: Record<Language, Dictionary> = { zh, en };

/** Give the words of the chosen language. */
export function useWords(): Dictionary {
  return LANGUAGES[useStore(preferences, (value) => value.language)];
}

/** The same outside of components. */
export function words(): Dictionary {
  return LANGUAGES[preferences.get().language];
}
