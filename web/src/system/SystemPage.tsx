/** How the service is doing. Owns: the page of figures, read again every few seconds while it is looked at. */
import { Alert, Progress, Skeleton } from "antd";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { call } from "../api/client";
import type { CacheFacts, SystemFacts } from "../api/types";
import { useWords } from "../i18n";
import { tell } from "../state/failures";
import { bytesText, durationText, percentText } from "../state/units";
import { DoctorCard } from "./DoctorCard";
import { ModelsCard } from "./ModelsCard";
import "./system.css";

const REFRESH_MS = 3_000;

export default function SystemPage() {
  const t = useWords();
  const { facts, error } = useFacts();
  return (
    <div className="system">
      <header>
        <h1>{t.system.title}</h1>
        <p>{t.system.subtitle}</p>
      </header>
      {error !== null && (
        <Alert type="warning" showIcon title={t.system.refreshFailed} description={tell(error).text} />
      )}
      {facts === null ? (
        error === null && <Skeleton active />
      ) : (
        <div className="system-grid">
          <ModelCard facts={facts} />
          <MemoryCard facts={facts} />
          <QueueCard facts={facts} />
          <CachesCard facts={facts} />
          <ModelsCard />
          <DoctorCard />
          <VersionsCard facts={facts} />
        </div>
      )}
    </div>
  );
}

function useFacts() {
  const [facts, setFacts] = useState<SystemFacts | null>(null);
  const [error, setError] = useState<unknown>(null);
  const refresh = useCallback(async () => {
    try {
      setFacts(await call<SystemFacts>("GET", "/api/system"));
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  }, []);
  useEffect(() => {
    void refresh();
    const timer = setInterval(() => document.visibilityState === "visible" && void refresh(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [refresh]);
  return { facts, error };
}

export function Card({
  title,
  extra,
  children,
  isWide,
}: {
  title: string;
  extra?: ReactNode;
  children: ReactNode;
  isWide?: boolean;
}) {
  return (
    <section className={isWide ? "card is-wide" : "card"} aria-label={title}>
      <div className="card-head">
        <h2>{title}</h2>
        {extra}
      </div>
      {children}
    </section>
  );
}

export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="fact-list">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function ModelCard({ facts }: { facts: SystemFacts }) {
  const t = useWords();
  const { model, engine } = facts;
  const rows: [string, ReactNode][] = [
    [
      t.system.state,
      <span key="s" className={`state is-${model.state}`}>
        {t.system.states[model.state]}
      </span>,
    ],
    [t.system.precision, model.precision ?? "–"],
    [t.system.compute, model.compute ?? "–"],
    [t.system.context, model.context_tokens === null ? "–" : t.facts.tokens(model.context_tokens)],
    [t.system.loaded, model.load_ms === null ? "–" : durationText(model.load_ms, t)],
    [t.system.restarts, engine.restarts],
  ];
  return (
    <Card
      title={t.system.model}
      extra={model.is_demo ? <span className="badge">{t.system.demo}</span> : null}
    >
      <p className="card-figure">{model.name ?? "–"}</p>
      {model.error && (
        <Alert type="error" title={tell(model.error).text} description={tell(model.error).detail} />
      )}
      <Facts rows={rows} />
    </Card>
  );
}

function MemoryCard({ facts }: { facts: SystemFacts }) {
  const t = useWords();
  const { total_bytes, available_bytes, engine_bytes } = facts.memory;
  const known = total_bytes !== null && available_bytes !== null;
  return (
    <Card title={t.system.memory}>
      {known && (
        <Progress
          percent={Math.round(((total_bytes - available_bytes) / total_bytes) * 100)}
          aria-label={t.system.memory}
        />
      )}
      <Facts
        rows={[
          [t.system.memoryEngine, engine_bytes === null ? "–" : bytesText(engine_bytes)],
          [t.system.memoryFree, available_bytes === null ? "–" : bytesText(available_bytes)],
          [t.system.memoryTotal, total_bytes === null ? "–" : bytesText(total_bytes)],
          [t.system.disk, bytesText(facts.disk_free_bytes)],
        ]}
      />
    </Card>
  );
}

function QueueCard({ facts }: { facts: SystemFacts }) {
  const t = useWords();
  return (
    <Card title={t.system.queue}>
      <div className="figures">
        <div>
          <strong>{facts.queue.running}</strong>
          <span>{t.system.running}</span>
        </div>
        <div>
          <strong>{facts.queue.waiting}</strong>
          <span>{t.system.waiting}</span>
        </div>
      </div>
      <Facts rows={[[t.system.uptime, durationText(facts.uptime_s * 1000, t)]]} />
    </Card>
  );
}

function CachesCard({ facts }: { facts: SystemFacts }) {
  const t = useWords().system;
  return (
    <Card title={t.caches} extra={<span className="card-unit">{t.hitRate}</span>}>
      <Cache name={t.features} hint={t.featuresHint} cache={facts.caches.features} />
      <Cache name={t.prefix} hint={t.prefixHint} cache={facts.caches.prefix} />
    </Card>
  );
}

function Cache({ name, hint, cache }: { name: string; hint: string; cache: CacheFacts | null }) {
  const t = useWords().system;
  const all = cache === null ? 0 : cache.hits + cache.misses;
  return (
    <div className="cache">
      <div className="cache-words">
        <span>{name}</span>
        <small>{hint}</small>
      </div>
      <div className="cache-figures">
        <strong>{cache === null ? t.noCache : all === 0 ? t.unused : percentText(cache.hits, all)}</strong>
        {cache !== null && (
          <small>
            {[all > 0 ? t.hits(cache.hits, all) : "", bytesText(cache.bytes)].filter(Boolean).join(" · ")}
          </small>
        )}
      </div>
    </div>
  );
}

function VersionsCard({ facts }: { facts: SystemFacts }) {
  const t = useWords().system;
  const rows = Object.entries({ kandong: facts.version, ...facts.versions });
  return (
    <Card title={t.versions} isWide>
      <Facts rows={rows} />
    </Card>
  );
}
