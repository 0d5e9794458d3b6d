/** Asks for the key of a server that wants one. Loaded when needed; the key stays in memory. */
import { Alert, Button, Input, Modal } from "antd";
import { useState } from "react";
import { useWords } from "../i18n";
import { refreshHistory } from "../state/history";
import { sessionStore, useKey as tryKey } from "../state/session";
import { useStore } from "../state/store";
import { openThread, threadStore } from "../state/thread";

export default function KeyDialog() {
  const t = useWords().key;
  const isWrong = useStore(sessionStore, (value) => value.isKeyWrong);
  const [key, setKey] = useState("");
  const [isBusy, setBusy] = useState(false);
  const submit = async () => {
    if (!key.trim()) return;
    setBusy(true);
    if (await tryKey(key.trim())) {
      void refreshHistory();
      const { id, error } = threadStore.get();
      if (error) void openThread(id);
    }
    setBusy(false);
  };
  return (
    <Modal
      open
      closable={false}
      mask={{ closable: false }}
      keyboard={false}
      width={440}
      title={t.title}
      footer={
        <Button type="primary" loading={isBusy} disabled={!key.trim()} onClick={() => void submit()}>
          {t.ok}
        </Button>
      }
    >
      <div className="key-dialog">
        <p>{t.text}</p>
        <Input.Password
          autoFocus
          aria-label={t.label}
          placeholder="kd-…"
          autoComplete="off"
          value={key}
          status={isWrong ? "error" : ""}
          onChange={(event) => setKey(event.target.value)}
          onPressEnter={() => void submit()}
        />
        {isWrong && <Alert type="error" showIcon title={t.wrong} role="alert" />}
        <p className="field-hint">{t.how}</p>
      </div>
    </Modal>
  );
}
