/**
 * The post's pictures with their marks.
 * Owns: which picture is shown, boxes in picture coordinates, pointing at them. Must not know: what findings say.
 */
import { FullscreenOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { useEffect, useRef, useState } from "react";
import type { PictureFile } from "../api/types";
import { Thumbnail } from "../chat/Picture";
import { viewPictures } from "../chat/Viewer";
import { useWords } from "../i18n";
import { picturePath, usePictureUrl } from "../state/pictures";
import { useStore } from "../state/store";
import { type Finding, hasBox } from "./findings";
import { Overlay } from "./Overlay";
import { activeOf, selectionStore, showPicture } from "./selection";

/** A picture no narrower than this share of its height is shown whole; a longer one is scrolled. */
const MIN_RATIO = 0.62;

export function Board({
  files,
  findings,
  isShown,
}: {
  files: PictureFile[];
  findings: Finding[];
  /** Whether a finding's boxes are drawn though nobody points at it. */
  isShown: (finding: Finding) => boolean;
}) {
  const t = useWords().analyse;
  const picture = useStore(selectionStore, (value) => Math.min(value.picture, files.length - 1));
  const file = files[picture];
  useFollowing(findings);
  if (!file) return null;
  const viewed = files.map(({ id, filename }) => ({ name: filename, fileId: id }));
  return (
    <section className="board" aria-label={t.board}>
      {files.length > 1 && <Strip files={files} findings={findings} current={picture} />}
      <div className="board-frame">
        <Shown key={file.id} file={file} index={picture} findings={findings} isShown={isShown} />
        <Button
          className="board-zoom"
          size="small"
          aria-label={t.zoom}
          title={t.zoom}
          icon={<FullscreenOutlined />}
          onClick={() => viewPictures(viewed, picture)}
        />
      </div>
    </section>
  );
}

/** Show the picture of what is pointed at in the list, and bring its box into view. */
function useFollowing(findings: Finding[]): void {
  const active = useStore(selectionStore, (value) => (value.side === "list" ? activeOf(value) : null));
  useEffect(() => {
    const finding = active === null ? undefined : findings.find((one) => one.id === active);
    const place = finding?.places.find((one) => one.kind === "picture");
    if (!finding || place?.kind !== "picture") return;
    const isElsewhere = !finding.places.some(
      (one) => one.kind === "picture" && one.image === selectionStore.get().picture,
    );
    if (isElsewhere) showPicture(place.image);
    const frame = requestAnimationFrame(() =>
      document.querySelector(".board .spot")?.scrollIntoView({ block: "nearest", inline: "nearest" }),
    );
    return () => cancelAnimationFrame(frame);
  }, [active, findings]);
}

function Strip({ files, findings, current }: { files: PictureFile[]; findings: Finding[]; current: number }) {
  const t = useWords().analyse;
  return (
    <ul className="strip" aria-label={t.thumbs}>
      {files.map((file, index) => {
        const marks = findings.filter(
          (one) => one.task !== "read" && one.places.some((p) => p.kind === "picture" && p.image === index),
        ).length;
        return (
          <li key={file.id}>
            <button
              type="button"
              aria-pressed={index === current}
              aria-label={`${t.picture(index + 1)}${marks > 0 ? `, ${t.counts(marks)}` : ""}`}
              onClick={() => showPicture(index)}
            >
              <Thumbnail fileId={file.id} alt="" />
              {marks > 0 && <span className="strip-count">{marks}</span>}
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function Shown({
  file,
  index,
  findings,
  isShown,
}: {
  file: PictureFile;
  index: number;
  findings: Finding[];
  isShown: (finding: Finding) => boolean;
}) {
  const t = useWords().analyse;
  const figure = useRef<HTMLElement>(null);
  const [widthPx, setWidthPx] = useState(0);
  const [isLost, setLost] = useState(false);
  const address = usePictureUrl(picturePath(file.id, "full"));
  useEffect(() => {
    if (!figure.current) return;
    const observer = new ResizeObserver(([entry]) => setWidthPx(entry?.contentRect.width ?? 0));
    observer.observe(figure.current);
    return () => observer.disconnect();
  }, []);
  const ratio = file.width_px / Math.max(1, file.height_px);
  const here = findings.filter((one) => hasBox(one));
  return (
    <div className="board-scroll">
      <figure
        ref={figure}
        className="board-picture"
        style={{
          aspectRatio: `${file.width_px} / ${file.height_px}`,
          ["--ratio" as never]: Math.max(ratio, MIN_RATIO),
        }}
      >
        {isLost ? (
          <p className="board-lost">{t.lost}</p>
        ) : (
          address && <img src={address} alt={file.filename} draggable={false} onError={() => setLost(true)} />
        )}
        <Overlay
          image={index}
          widthPx={file.width_px}
          heightPx={file.height_px}
          scale={widthPx / file.width_px || 1}
          findings={here}
          isShown={isShown}
        />
      </figure>
    </div>
  );
}
