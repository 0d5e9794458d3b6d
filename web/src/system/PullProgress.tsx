/** A download on its way: how far, how fast, how long yet, and ending it. */
import { Button, Progress } from "antd";
import { useEffect } from "react";
import { useWords } from "../i18n";
import { tell } from "../state/failures";
import { cancelPull, pullStore, refreshPull } from "../state/models";
import { useStore } from "../state/store";
import { bytesText, durationText } from "../state/units";

export function PullProgress() {
  const t = useWords();
  const pull = useStore(pullStore, (value) => value.pull);
  useEffect(() => void refreshPull(), []);
  if (pull === null || pull.state === "idle") return null;
  if (pull.state === "done") return <span role="status">{t.system.pullDone}</span>;
  if (pull.state === "cancelled") return <span role="status">{t.system.pullCancelled}</span>;
  if (pull.state === "failed") {
    const told = pull.error ? tell(pull.error) : null;
    return (
      <span role="alert">
        {t.system.pullFailed}
        {told && ` · ${told.text}`}
        {told?.detail && ` ${told.detail}`}
      </span>
    );
  }
  const { done_bytes, total_bytes, bytes_per_s } = pull;
  const percent = total_bytes ? Math.floor((done_bytes / total_bytes) * 100) : 0;
  const leftMs = total_bytes && bytes_per_s ? ((total_bytes - done_bytes) / bytes_per_s) * 1000 : null;
  const facts = [
    total_bytes ? `${bytesText(done_bytes)} / ${bytesText(total_bytes)}` : t.system.starting,
    bytes_per_s ? `${bytesText(bytes_per_s)}/s` : "",
    leftMs !== null ? t.model.left(durationText(leftMs, t)) : "",
  ];
  return (
    <div className="pull">
      <Progress percent={percent} aria-label={t.model.downloading} status="active" />
      <div className="pull-facts">
        <span>{facts.filter(Boolean).join(" · ")}</span>
        <Button size="small" onClick={() => void cancelPull()}>
          {t.model.cancel}
        </Button>
      </div>
    </div>
  );
}
