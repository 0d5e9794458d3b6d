/**
 * Pictures in full, one at a time.
 * Owns: going through them, fitting or actual size. The dialog element brings focus, Escape and the rest of the page inert.
 */
import {
  CloseOutlined,
  LeftOutlined,
  RightOutlined,
  ZoomInOutlined,
  ZoomOutOutlined,
} from "@ant-design/icons";
import { Button } from "antd";
import { useEffect, useRef, useState } from "react";
import { useWords } from "../i18n";
import { picturePath, usePictureUrl } from "../state/pictures";
import { createStore, useStore } from "../state/store";

export interface ViewedPicture {
  name: string;
  fileId?: string | undefined;
  url?: string | null;
}

const viewerStore = createStore<{ pictures: ViewedPicture[]; index: number }>({ pictures: [], index: 0 });

/** Open the viewer on one of several pictures. */
export function viewPictures(pictures: ViewedPicture[], index: number): void {
  viewerStore.set({ pictures, index });
}

export function Viewer() {
  const pictures = useStore(viewerStore, (value) => value.pictures);
  if (pictures.length === 0) return null;
  return <OpenViewer pictures={pictures} />;
}

function OpenViewer({ pictures }: { pictures: ViewedPicture[] }) {
  const t = useWords().viewer;
  const index = useStore(viewerStore, (value) => value.index);
  const dialog = useRef<HTMLDialogElement>(null);
  const [isActualSize, setActualSize] = useState(false);
  const picture = pictures[index];
  const stored = usePictureUrl(picture?.url || !picture?.fileId ? null : picturePath(picture.fileId, "full"));
  const address = picture?.url ?? stored;

  useEffect(() => dialog.current?.showModal(), []);
  const close = () => viewerStore.set({ pictures: [], index: 0 });
  const step = (by: number) => {
    setActualSize(false);
    viewerStore.set({ index: (index + by + pictures.length) % pictures.length });
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (pictures.length > 1 && event.key === "ArrowRight") step(1);
    if (pictures.length > 1 && event.key === "ArrowLeft") step(-1);
  };
  const zoomLabel = isActualSize ? t.zoomOut : t.zoomIn;
  return (
    <dialog ref={dialog} className="viewer" aria-label={t.title} onClose={close} onKeyDown={onKeyDown}>
      <div className="viewer-bar">
        <span className="viewer-name">{picture?.name}</span>
        {pictures.length > 1 && <span>{t.position(index + 1, pictures.length)}</span>}
        <Button
          type="text"
          aria-label={zoomLabel}
          title={zoomLabel}
          icon={isActualSize ? <ZoomOutOutlined /> : <ZoomInOutlined />}
          onClick={() => setActualSize(!isActualSize)}
        />
        <Button type="text" aria-label={t.close} title={t.close} icon={<CloseOutlined />} onClick={close} />
      </div>
      <div className={isActualSize ? "viewer-body is-actual" : "viewer-body"}>
        {address && (
          <button
            type="button"
            className="viewer-picture"
            aria-label={zoomLabel}
            onClick={() => setActualSize(!isActualSize)}
          >
            <img src={address} alt={picture?.name ?? ""} />
          </button>
        )}
      </div>
      {pictures.length > 1 && (
        <div className="viewer-steps">
          <Button shape="circle" aria-label={t.previous} icon={<LeftOutlined />} onClick={() => step(-1)} />
          <Button shape="circle" aria-label={t.next} icon={<RightOutlined />} onClick={() => step(1)} />
        </div>
      )}
    </dialog>
  );
}
