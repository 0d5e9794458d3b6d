/** The whole page takes pictures: dropped anywhere, or pasted where no text field wants them. */
import { InboxOutlined } from "@ant-design/icons";
import { useEffect, useState } from "react";
import { useWords } from "../i18n";
import { addPictures, draftKey, POST_KEY } from "../state/composer";
import { go, routeStore } from "../state/route";
import { threadStore } from "../state/thread";

function hasFiles(data: DataTransfer | null): boolean {
  return data?.types.includes("Files") ?? false;
}

function take(files: File[]): void {
  if (files.length === 0) return;
  const place = routeStore.get().route.name;
  if (place === "analyse") {
    addPictures(POST_KEY, files);
    return;
  }
  if (place !== "chat") go({ name: "chat", id: threadStore.get().id });
  addPictures(draftKey(threadStore.get().id), files);
}

export function DropZone() {
  const t = useWords().composer;
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const onEnter = (event: DragEvent) => {
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      depth += 1;
      setOver(true);
    };
    const onOver = (event: DragEvent) => {
      if (hasFiles(event.dataTransfer)) event.preventDefault();
    };
    const onLeave = (event: DragEvent) => {
      if (!hasFiles(event.dataTransfer)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      take([...(event.dataTransfer?.files ?? [])]);
    };
    const onPaste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0 || event.clipboardData?.getData("text/plain")) return;
      event.preventDefault();
      take(files);
    };
    const listeners = { dragenter: onEnter, dragover: onOver, dragleave: onLeave, drop: onDrop } as const;
    for (const [name, listener] of Object.entries(listeners))
      window.addEventListener(name, listener as EventListener);
    window.addEventListener("paste", onPaste);
    return () => {
      for (const [name, listener] of Object.entries(listeners))
        window.removeEventListener(name, listener as EventListener);
      window.removeEventListener("paste", onPaste);
    };
  }, []);
  if (!isOver) return null;
  return (
    <div className="drop-zone">
      <div className="drop-zone-card">
        <InboxOutlined aria-hidden />
        <strong>{t.drop}</strong>
        <span>{t.dropHint}</span>
      </div>
    </div>
  );
}
