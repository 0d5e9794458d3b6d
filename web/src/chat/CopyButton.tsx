/** Text to the clipboard, with a sign that it is there. */
import { CheckOutlined, CopyOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { useState } from "react";
import { useWords } from "../i18n";
import { notify } from "../state/notices";

const COPIED_MS = 2_000;

/** Copy to the clipboard; also where the page is not on a secure address and the clipboard API is missing. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("copy");
}

/** `name` is said beside the sign; without it the button only has the sign. */
export function CopyButton({ text, name }: { text: string; name?: string }) {
  const t = useWords();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await copyText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), COPIED_MS);
    } catch {
      notify({ kind: "error", text: t.errors.unknown });
    }
  };
  const label = isCopied ? t.message.copied : (name ?? t.message.copy);
  return (
    <Button
      type="text"
      size="small"
      aria-label={label}
      title={label}
      icon={isCopied ? <CheckOutlined /> : <CopyOutlined />}
      onClick={() => void copy()}
    >
      {name ? label : null}
    </Button>
  );
}
