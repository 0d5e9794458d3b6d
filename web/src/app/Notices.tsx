/** The notices at the page's edge. */
import { CloseOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { useWords } from "../i18n";
import { dismiss, notices } from "../state/notices";
import { useStore } from "../state/store";

export function Notices() {
  const t = useWords().errors;
  const list = useStore(notices, (value) => value.list);
  return (
    <div className="notices">
      {list.map(({ id, kind, text, detail, action }) => (
        <div key={id} className={`notice is-${kind}`} role={kind === "error" ? "alert" : "status"}>
          <span className="notice-text">
            {text}
            {detail && <small>{detail}</small>}
          </span>
          {action && (
            <Button
              size="small"
              type="link"
              onClick={() => {
                dismiss(id);
                action.run();
              }}
            >
              {action.label}
            </Button>
          )}
          <Button
            size="small"
            type="text"
            aria-label={t.close}
            icon={<CloseOutlined />}
            onClick={() => dismiss(id)}
          />
        </div>
      ))}
    </div>
  );
}
