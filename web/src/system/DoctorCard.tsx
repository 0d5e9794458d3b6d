/** What the service finds when it looks itself over. */
import { CheckCircleFilled, CloseCircleFilled, ExclamationCircleFilled } from "@ant-design/icons";
import { Alert, Button, Skeleton } from "antd";
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
  const [isBusy, setBusy] = useState(true);
  const run = useCallback(async () => {
    setBusy(true);
    try {
      setChecks((await call<{ checks: DoctorCheck[] }>("GET", "/api/system/doctor")).checks);
      setError(null);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  }, []);
  useEffect(() => void run(), [run]);
  const again = (
    <Button size="small" loading={isBusy} onClick={() => void run()}>
      {t.doctorRun}
    </Button>
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
