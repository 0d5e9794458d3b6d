/** The keys that the page knows. Loaded when first opened. */
import { Modal } from "antd";
import { useWords } from "../i18n";
import { closePanel } from "../state/panels";

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);
const CTRL = IS_MAC ? "⌘" : "Ctrl";

export default function ShortcutsPanel() {
  const t = useWords().shortcuts;
  const rows: [string, string[]][] = [
    [t.send, ["Enter"]],
    [t.newline, ["Shift", "Enter"]],
    [t.paste, [CTRL, "V"]],
    [t.newChat, [CTRL, "Shift", "O"]],
    [t.search, [CTRL, "K"]],
    [t.sidebar, [CTRL, "B"]],
    [t.stop, ["Esc"]],
    [t.help, ["?"]],
  ];
  return (
    <Modal
      open
      title={t.title}
      footer={null}
      width={420}
      onCancel={closePanel}
      closable={{ "aria-label": t.close }}
    >
      <dl className="shortcuts">
        {rows.map(([name, keys]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
