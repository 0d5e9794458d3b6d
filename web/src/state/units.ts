/** Numbers as people read them. Owns: sizes, durations, rates. Must not know: where they come from. */
import type { Dictionary } from "../i18n/zh";

const STEP = 1024;

/** 1536 → "1.5 KB"; binary steps under the names that people know. */
export function bytesText(bytes: number): string {
  const names = ["B", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let step = 0;
  while (value >= STEP && step < names.length - 1) {
    value /= STEP;
    step += 1;
  }
  return `${value >= 100 || step === 0 ? Math.round(value) : value.toFixed(1)} ${names[step]}`;
}

/** A duration in one unit: "3.2 s", "12 min", "5 h", "2 days". */
export function durationText(ms: number, t: Dictionary): string {
  const seconds = ms / 1000;
  if (seconds < 10) return t.units.seconds(seconds.toFixed(1));
  if (seconds < 90) return t.units.seconds(String(Math.round(seconds)));
  if (seconds < 5400) return t.units.minutes(Math.round(seconds / 60));
  if (seconds < 172_800) return t.units.hours(Math.round(seconds / 3600));
  return t.units.days(Math.round(seconds / 86_400));
}

/** A rate with as many digits as it deserves. */
export function rateText(perSecond: number): string {
  return perSecond >= 10 ? String(Math.round(perSecond)) : perSecond.toFixed(1);
}

export function percentText(part: number, whole: number): string {
  return whole > 0 ? `${Math.round((part / whole) * 100)}%` : "–";
}
