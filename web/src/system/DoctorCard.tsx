/** What the service finds when it looks itself over. */
import { CheckCircleFilled, CloseCircleFilled, ExclamationCircleFilled } from "@ant-design/icons";
import { Alert, Button, Skeleton, Space, Tooltip } from "antd";
import { useCallback, useEffect, useState } from "react";
import { call } from "../api/client";
import type { DoctorCheck } from "../api/types";
import { useWords } from "../i18n";
import { tell } from "../state/failures";
import { Card } from "./SystemPage";

const ICONS = {
  ok: <CheckCircleFilled className="is-ok" aria-hidden />,
  warn: <ExclamationCircleFilled className="is-warn" aria-hidden />,
  fail: <CloseCircleFilled className="is-fail" aria-hidden />,
};

export function DoctorCard() {
  const t = useWords().system;
  const [checks, setChecks] = useState<DoctorCheck[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState<"quick" | "thorough" | null>("quick");
  const run = useCallback(async (kind: "quick" | "thorough") => {
    setBusy(kind);
    try {
      const path = `/api/system/doctor${kind === "thorough" ? "?thorough=true" : ""}`;
      setChecks((await call<{ checks: DoctorCheck[] }>("GET", path)).checks);
      setError(null);
    } catch (failure) {
      setError(failure);
    }
    setBusy(null);
  }, []);
  useEffect(() => void run("quick"), [run]);
  const again = (
    <Space>
      <Button
        size="small"
        loading={busy === "quick"}
        disabled={busy !== null}
        onClick={() => void run("quick")}
      >
        {t.doctorRun}
      </Button>
      <Tooltip title={t.doctorThoroughHint}>
        <Button
          size="small"
          loading={busy === "thorough"}
          disabled={busy !== null}
          onClick={() => void run("thorough")}
        >
          {t.doctorThorough}
        </Button>
      </Tooltip>
    </Space>
  );
  return (
    <Card title={t.doctor} extra={again} isWide>
      {error !== null && <Alert type="warning" title={t.doctorFailed} description={tell(error).text} />}
      {checks === null && error === null && <Skeleton active title={false} />}
      {checks !== null && (
        <ul className="checks">
          {checks.map((check) => (
            <li key={check.name}>
              {ICONS[check.status]}
              <span className="sr-only">{t.doctorStates[check.status]}</span>
              <span className="check-words">
                <strong>{check.name}</strong> {check.message}
                {check.hint && <small>{check.hint}</small>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
