/** What is happening while an answer is on its way. Owns: one line and its bar. Must not know: the network. */
import { useEffect, useState } from "react";
import { useWords } from "../i18n";
import type { Dictionary } from "../i18n/zh";
import { type Live, speedOf } from "../state/live";
import { rateText } from "../state/units";

function labelOf(live: Live, t: Dictionary["stage"]): string {
  switch (live.stage) {
    case "sending":
      return t.sending;
    case "connecting":
      return t.connecting;
    case "queued": {
      const wait =
        live.waitMs !== null && live.waitMs >= 1000 ? ` · ${t.wait(Math.round(live.waitMs / 1000))}` : "";
      return t.queued(live.position) + wait;
    }
    case "reading":
      return t.reading;
    case "vision":
      return t.vision(live.pictureIndex + 1, live.numPictures);
    case "prefill":
      return t.prefill;
    case "writing":
      return t.writing;
  }
}

function speedText(live: Live, t: Dictionary["stage"]): string {
  const speed = speedOf(live);
  if (speed === null) return "";
  const text = rateText(speed.perSecond);
  return speed.unit === "tokens" ? t.tokensPerSecond(text) : t.charsPerSecond(text);
}

function useSecondsSince(startMs: number): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.floor((now - startMs) / 1000));
}

export function StageLine({ live }: { live: Live }) {
  const t = useWords().stage;
  const seconds = useSecondsSince(live.startedMs);
  const isMeasured = live.done !== null && (live.stage === "vision" || live.stage === "prefill");
  const percent = Math.round((live.done ?? 0) * 100);
  return (
    <div className="stage">
      <div className="stage-words">
        <span className="stage-dot" aria-hidden />
        <span className="stage-label">{labelOf(live, t)}</span>
        <span className="stage-facts">
          {[speedText(live, t), isMeasured ? `${percent}%` : "", seconds > 0 ? t.seconds(seconds) : ""]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </div>
      {isMeasured && (
        <div
          className="stage-bar"
          role="progressbar"
          aria-label={labelOf(live, t)}
          aria-valuenow={percent}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <span style={{ width: `${percent}%` }} />
        </div>
      )}
      {live.isBroken && <div className="stage-broken">{t.reconnecting}</div>}
    </div>
  );
}
