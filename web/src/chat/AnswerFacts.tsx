/** How an answer came about: times, tokens, what came from a cache. Owns: this table. Must not know: the answer. */
import { InfoCircleOutlined } from "@ant-design/icons";
import { Button, Popover } from "antd";
import type { Message } from "../api/types";
import { useWords } from "../i18n";
import type { Dictionary } from "../i18n/zh";
import { durationText, rateText } from "../state/units";

const TOKEN_PX = 32;

/** Rows of name and value; what the server did not say is left out. */
export function factsOf(message: Message, t: Dictionary): [string, string][] {
  const { usage, timings_ms: times, pictures } = message;
  const rows: [string, string][] = [];
  const totalMs = times?.total;
  const firstMs = times?.first_token;
  if (totalMs !== undefined) rows.push([t.facts.total, durationText(totalMs, t)]);
  if (firstMs !== undefined) rows.push([t.facts.firstToken, durationText(firstMs, t)]);
  if (usage) {
    rows.push([t.facts.written, t.facts.tokens(usage.completion_tokens)]);
    const decodeMs = times?.decode;
    if (decodeMs && usage.completion_tokens > 1) {
      const perSecond = ((usage.completion_tokens - 1) * 1000) / decodeMs;
      rows.push([t.facts.speed, t.stage.tokensPerSecond(rateText(perSecond))]);
    }
    rows.push([t.facts.prompt, t.facts.tokens(usage.prompt_tokens)]);
    if (usage.cached_tokens > 0) rows.push([t.facts.cached, t.facts.tokens(usage.cached_tokens)]);
  }
  for (const picture of pictures ?? []) {
    const [numRows = 0, numColumns = 0] = picture.grid;
    const seen = t.facts.grid(numColumns * TOKEN_PX, numRows * TOKEN_PX, picture.tokens);
    const isStored = picture.origin !== "computed";
    rows.push([t.facts.pictureTokens, isStored ? `${seen} · ${t.facts.fromCache}` : seen]);
  }
  if (message.model) rows.push([t.facts.model, message.model]);
  return rows;
}

export function AnswerFacts({ message }: { message: Message }) {
  const t = useWords();
  const rows = factsOf(message, t);
  if (rows.length === 0) return null;
  const table = (
    <dl className="facts">
      {rows.map(([name, value], index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows of one finished answer never change places
        <div key={index}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
  return (
    <Popover content={table} title={t.message.details} trigger="click" placement="top">
      <Button
        type="text"
        size="small"
        aria-label={t.message.details}
        title={t.message.details}
        icon={<InfoCircleOutlined />}
      />
    </Popover>
  );
}
