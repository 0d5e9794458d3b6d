/**
 * A model's answer as formatted text. Loaded apart from the first screen.
 * Owns: which marks become which elements. A model's words are hostile: no HTML of theirs, no picture, no scheme but http(s).
 */
import XMarkdown, { type ComponentProps } from "@ant-design/x-markdown";
import type { ReactNode } from "react";

const ALLOWED_TAGS = [
  "p",
  "br",
  "hr",
  "h1",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "ul",
  "ol",
  "li",
  "blockquote",
  "pre",
  "code",
  "strong",
  "em",
  "del",
  "a",
  "table",
  "thead",
  "tbody",
  "tr",
  "th",
  "td",
];
const ALLOWED_ATTR = ["href", "title", "align", "start", "data-block", "data-state", "data-lang"];
const PURIFY = { ALLOWED_TAGS, ALLOWED_ATTR, ALLOW_DATA_ATTR: false, ALLOWED_URI_REGEXP: /^https?:\/\//i };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

interface TextToken {
  text: string;
  escaped?: boolean;
  tokens?: unknown[];
}

/**
 * A picture that a model names is never fetched: its description stays as text. Plain text is escaped here because
 * XMarkdown's own renderer of it does not, so `<img src=x onerror=f=1>`, which is no tag to Markdown, would become one.
 */
const MARKED = {
  // Lines of a picture are lines of the answer.
  breaks: true,
  renderer: {
    image: ({ text }: { text: string }) => escaped(text),
    text(this: { parser: { parseInline: (tokens: unknown[]) => string } }, token: TextToken): string {
      if (token.tokens) return this.parser.parseInline(token.tokens);
      return token.escaped ? token.text : escaped(token.text);
    },
  },
};

/** The address if it may be opened from an answer. */
export function safeHref(href: unknown): string | null {
  if (typeof href !== "string") return null;
  try {
    const url = new URL(href);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

function Link({ href, children }: { href?: unknown; children?: ReactNode }) {
  const address = safeHref(href);
  if (address === null) return <span>{children}</span>;
  return (
    <a href={address} target="_blank" rel="noopener noreferrer nofollow ugc" title={address}>
      {children}
    </a>
  );
}

function Table({ children }: { children?: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled with the keyboard
    <section className="table-scroll" tabIndex={0} aria-label="table">
      <table>{children}</table>
    </section>
  );
}

function Heading({ children }: { children?: ReactNode }) {
  return <h3>{children}</h3>;
}

const COMPONENTS = { a: Link, table: Table, h1: Heading, h2: Heading } as unknown as Record<
  string,
  React.ComponentType<ComponentProps>
>;

/** Show an answer; while it is being written, marks that are not yet closed are held back. */
export default function Markdown({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  return (
    <XMarkdown
      className="markdown"
      content={text}
      escapeRawHtml
      disableDefaultStyles
      config={MARKED as never}
      components={COMPONENTS}
      dompurifyConfig={PURIFY}
      streaming={{ hasNextChunk: isStreaming }}
    />
  );
}
