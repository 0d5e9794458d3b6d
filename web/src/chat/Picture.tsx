/** Small pictures, and the way to see them whole. Owns: thumbnails. Must not know: where pictures are stored. */
import { FileImageOutlined } from "@ant-design/icons";
import { useState } from "react";
import { picturePath, usePictureUrl } from "../state/pictures";

/** A thumbnail of a stored picture, or of a blob of this page; a placeholder until it is there or if it is gone. */
export function Thumbnail({
  fileId,
  url,
  alt,
}: {
  fileId?: string | undefined;
  url?: string | null;
  alt: string;
}) {
  const stored = usePictureUrl(url || !fileId ? null : picturePath(fileId, "thumb"));
  const [isLost, setLost] = useState(false);
  const address = url ?? stored;
  if (address === null || isLost)
    return (
      <span className="thumbnail is-placeholder" role="img" aria-label={alt}>
        <FileImageOutlined aria-hidden />
      </span>
    );
  return (
    <img className="thumbnail" src={address} alt={alt} onError={() => setLost(true)} draggable={false} />
  );
}
