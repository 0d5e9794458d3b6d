/** How answers are written, and how the page looks. Loaded when first opened. */
import { Button, Drawer, Input, InputNumber, Segmented, Slider, Switch } from "antd";
import { type ReactNode, useId } from "react";
import type { ChatSettings } from "../api/types";
import { useWords } from "../i18n";
import { closePanel } from "../state/panels";
import { type Appearance, preferences } from "../state/preferences";
import { sessionStore } from "../state/session";
import { useStore } from "../state/store";
import { changeSettings, threadStore } from "../state/thread";

/** Tokens of 32 × 32 pixels that a picture may take; null is what the server finds best. */
const DETAILS = { low: 256, medium: 768, high: 2048 } as const;
const FALLBACK = { max_tokens: 1024, temperature: 0.7, max_image_tokens: null, min_rounds: 2 };
const MAX_ROUNDS = 20;

function Field({
  label,
  hint,
  children,
}: {
  label: string;
  hint?: string;
  children: (ids: { label: string; hint: string }) => ReactNode;
}) {
  const id = useId();
  const ids = { label: `${id}l`, hint: `${id}h` };
  return (
    <div className="field">
      <div className="field-label" id={ids.label}>
        {label}
      </div>
      {children(ids)}
      {hint && (
        <div className="field-hint" id={ids.hint}>
          {hint}
        </div>
      )}
    </div>
  );
}

export default function SettingsPanel({ isPhone }: { isPhone: boolean }) {
  const t = useWords().settings;
  const hasChat = useStore(threadStore, (value) => value.conversation !== null);
  return (
    <Drawer
      open
      title={t.title}
      placement={isPhone ? "bottom" : "right"}
      size={isPhone ? "85%" : 400}
      onClose={closePanel}
      closable={{ "aria-label": t.close }}
    >
      <p className="panel-note">{hasChat ? t.thisChat : t.newChats}</p>
      <AnswerFields />
      <hr className="panel-line" />
      <PageFields />
    </Drawer>
  );
}

function AnswerFields() {
  const t = useWords().settings;
  const session = useStore(sessionStore, (value) => value.session);
  const conversation = useStore(threadStore, (value) => value.conversation);
  const newChat = useStore(preferences, (value) => value.newChat);
  const settings: ChatSettings = conversation?.settings ?? newChat;
  const defaults = session?.defaults ?? FALLBACK;
  const change = (fields: ChatSettings) => void changeSettings({ ...settings, ...fields });
  const maxTokens = settings.max_tokens ?? defaults.max_tokens;
  const temperature = settings.temperature ?? defaults.temperature;
  const detail = settings.max_image_tokens ?? null;
  const detailName = Object.entries(DETAILS).find(([, tokens]) => tokens === detail)?.[0] ?? "auto";
  return (
    <>
      <Field label={t.length} hint={t.lengthHint}>
        {(ids) => (
          <div className="field-row">
            <Slider
              className="field-slider"
              min={16}
              max={Math.min(4096, session?.limits.max_tokens ?? 4096)}
              step={16}
              value={maxTokens}
              ariaLabelledByForHandle={ids.label}
              onChange={(value) => change({ max_tokens: value })}
            />
            <InputNumber
              min={1}
              max={session?.limits.max_tokens ?? 4096}
              value={maxTokens}
              aria-labelledby={ids.label}
              onChange={(value) => value !== null && change({ max_tokens: value })}
            />
          </div>
        )}
      </Field>
      <Field label={t.temperature} hint={t.temperatureHint}>
        {(ids) => (
          <div className="field-row">
            <Slider
              className="field-slider"
              min={0}
              max={2}
              step={0.1}
              value={temperature}
              ariaLabelledByForHandle={ids.label}
              onChange={(value) => change({ temperature: value })}
            />
            <span className="field-value">{temperature.toFixed(1)}</span>
          </div>
        )}
      </Field>
      <Field label={t.detail} hint={t.detailHint}>
        {(ids) => (
          <Segmented
            block
            aria-labelledby={ids.label}
            value={detailName}
            options={[
              { value: "auto", label: t.detailAuto },
              { value: "low", label: t.detailLow },
              { value: "medium", label: t.detailMedium },
              { value: "high", label: t.detailHigh },
            ]}
            onChange={(name) =>
              change({ max_image_tokens: name in DETAILS ? DETAILS[name as keyof typeof DETAILS] : null })
            }
          />
        )}
      </Field>
      <Field label={t.assist} hint={t.assistHint}>
        {(ids) => (
          <Switch
            aria-labelledby={ids.label}
            checked={settings.assist ?? true}
            onChange={(isOn) => change({ assist: isOn })}
          />
        )}
      </Field>
      <Field label={t.rounds} hint={t.roundsHint}>
        {(ids) => (
          <InputNumber
            min={0}
            max={MAX_ROUNDS}
            value={settings.min_rounds ?? defaults.min_rounds}
            aria-labelledby={ids.label}
            onChange={(value) => value !== null && change({ min_rounds: value })}
          />
        )}
      </Field>
      <Field label={t.system}>
        {(ids) => (
          <Input.TextArea
            rows={3}
            aria-labelledby={ids.label}
            placeholder={t.systemPlaceholder}
            defaultValue={settings.system ?? ""}
            onBlur={(event) => change({ system: event.target.value.trim() || null })}
          />
        )}
      </Field>
      <Button onClick={() => void changeSettings({})}>{t.reset}</Button>
    </>
  );
}

function PageFields() {
  const t = useWords().settings;
  const { appearance, language } = useStore(preferences, (value) => value);
  return (
    <>
      <Field label={t.appearance}>
        {(ids) => (
          <Segmented<Appearance>
            block
            aria-labelledby={ids.label}
            value={appearance}
            options={[
              { value: "auto", label: t.auto },
              { value: "light", label: t.light },
              { value: "dark", label: t.dark },
            ]}
            onChange={(value) => preferences.set({ appearance: value })}
          />
        )}
      </Field>
      <Field label={t.languageLabel}>
        {(ids) => (
          <Segmented<"zh" | "en">
            block
            aria-labelledby={ids.label}
            value={language}
            options={[
              { value: "zh", label: t.language.zh },
              { value: "en", label: t.language.en },
            ]}
            onChange={(value) => preferences.set({ language: value })}
          />
        )}
      </Field>
    </>
  );
}
