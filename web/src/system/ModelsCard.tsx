/** The models that can run here, and fetching one. */
import { Button } from "antd";
import { useEffect, useState } from "react";
import { call } from "../api/client";
import type { ModelEntry } from "../api/types";
import { useWords } from "../i18n";
import { pullStore, runModel, startPull } from "../state/models";
import { sessionStore } from "../state/session";
import { useStore } from "../state/store";
import { bytesText } from "../state/units";
import { PullProgress } from "./PullProgress";
import { Card } from "./SystemPage";

export function ModelsCard() {
  const t = useWords().system;
  const [models, setModels] = useState<ModelEntry[]>([]);
  const pullState = useStore(pullStore, (value) => value.pull?.state);
  const current = useStore(sessionStore, (value) => value.session?.model.name);
  const isAdmin = useStore(sessionStore, (value) => value.session?.scopes.includes("admin") ?? false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a download that ends changes the list
  useEffect(() => {
    call<{ data: ModelEntry[] }>("GET", "/api/models").then(
      (found) => setModels(found.data),
      () => undefined,
    );
  }, [pullState, current]);
  return (
    <Card title={t.models} isWide>
      <ul className="models">
        {models.map((model) => (
          <li key={model.name}>
            <span className="model-words">
              <span>{model.name}</span>
              <small>{!model.bytes ? "" : bytesText(model.bytes)}</small>
            </span>
            {model.is_demo && <span className="badge">{t.demo}</span>}
            {model.is_current && <span className="badge is-on">{t.current}</span>}
            {model.state === "installed" ? (
              !model.is_current && (
                <Button size="small" disabled={!isAdmin} onClick={() => void runModel(model.name)}>
                  {t.use}
                </Button>
              )
            ) : (
              <Button
                size="small"
                disabled={!isAdmin || pullState === "running"}
                onClick={() => void startPull(model.name)}
              >
                {model.state === "partial" ? t.resume : t.install}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {!isAdmin && <p className="field-hint">{t.noAdmin}</p>}
      <PullProgress />
    </Card>
  );
}
