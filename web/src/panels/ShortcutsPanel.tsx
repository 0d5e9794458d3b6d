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
  const onAnalyse: [string, string[]][] = [
    [t.check, [CTRL, "Enter"]],
    [t.move, ["K", "J"]],
    [t.pick, ["Enter"]],
    [t.release, ["Esc"]],
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
      <Keys rows={rows} />
      <h3 className="shortcuts-place">{t.onAnalyse}</h3>
      <Keys rows={onAnalyse} />
    </Modal>
  );
}

function Keys({ rows }: { rows: [string, string[]][] }) {
  return (
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
  );
}
