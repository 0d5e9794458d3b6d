/** What stands between the reader and an answer: no server, no model yet, or only a demonstration. */
import {
  CloudDownloadOutlined,
  DisconnectOutlined,
  ExperimentOutlined,
  LoadingOutlined,
  WarningOutlined,
} from "@ant-design/icons";
import { Button } from "antd";
import type { ReactNode } from "react";
import { useWords } from "../i18n";
import { runModel, startPull } from "../state/models";
import { go } from "../state/route";
import { sessionStore } from "../state/session";
import { useStore } from "../state/store";
import { PullProgress } from "../system/PullProgress";

/** The name of the demonstration model that an installation may bring. */
const DEMO_MODEL = "mini";

function Banner({
  icon,
  kind,
  children,
}: {
  icon: ReactNode;
  kind: "info" | "warning";
  children: ReactNode;
}) {
  return (
    <div className={`banner is-${kind}`} role={kind === "warning" ? "alert" : "status"}>
      <span aria-hidden>{icon}</span>
      <div className="banner-body">{children}</div>
    </div>
  );
}

/** `isEmpty`: no answers are shown, each of which would say itself that it is a demonstration's. */
export function ModelBanner({ isEmpty }: { isEmpty: boolean }) {
  const t = useWords();
  const { session, isOffline } = useStore(sessionStore, (value) => value);
  const seeSystem = (text: string) => (
    <Button size="small" type="link" onClick={() => go({ name: "system" })}>
      {text}
    </Button>
  );
  if (isOffline)
    return (
      <Banner icon={<DisconnectOutlined />} kind="warning">
        {t.errors.offline}
      </Banner>
    );
  if (session === null) return null;
  const { model } = session;
  switch (model.state) {
    case "ready":
      if (!model.is_demo || !isEmpty) return null;
      return (
        <Banner icon={<ExperimentOutlined />} kind="info">
          <span>{t.model.demoText}</span>
          {seeSystem(t.model.demoMore)}
        </Banner>
      );
    case "starting":
    case "restarting":
      return (
        <Banner icon={<LoadingOutlined />} kind="info">
          {t.model[model.state]}
        </Banner>
      );
    case "missing":
      return (
        <Banner icon={<CloudDownloadOutlined />} kind="info">
          <strong>{t.model.missingTitle}</strong>
          <span>{t.model.missingText}</span>
          <span>{t.model.missingMeanwhile}</span>
          {session.scopes.includes("admin") ? (
            <>
              <Button type="primary" size="small" onClick={() => void startPull()}>
                {t.model.download}
              </Button>
              {session.demo_available && (
                <Button size="small" onClick={() => void runModel(DEMO_MODEL)}>
                  {t.model.tryDemo}
                </Button>
              )}
            </>
          ) : (
            <span>{t.system.noAdmin}</span>
          )}
        </Banner>
      );
    case "downloading":
      return (
        <Banner icon={<CloudDownloadOutlined />} kind="info">
          <strong>{t.model.downloading}</strong>
          <PullProgress />
          <span>{t.model.missingMeanwhile}</span>
        </Banner>
      );
    default:
      return (
        <Banner icon={<WarningOutlined />} kind="warning">
          <span>{model.state === "failed" ? t.model.failed : t.model.unavailable}</span>
          {seeSystem(t.model.seeSystem)}
        </Banner>
      );
  }
}
