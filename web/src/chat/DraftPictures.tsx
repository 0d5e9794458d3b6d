/** The pictures of a draft, each with its upload. */
import { CloseOutlined, ReloadOutlined } from "@ant-design/icons";
import { useWords } from "../i18n";
import { type DraftPicture, removePicture, retryUpload } from "../state/composer";
import { Thumbnail } from "./Picture";
import { viewPictures } from "./Viewer";

export function DraftPictures({
  draftId,
  pictures,
  label,
}: {
  draftId: string;
  pictures: DraftPicture[];
  label?: string;
}) {
  const t = useWords().composer;
  const viewed = pictures.map((picture) => ({
    name: picture.name,
    url: picture.previewUrl,
    fileId: picture.file?.id,
  }));
  return (
    <ul className="draft-pictures" aria-label={label ?? t.pictures}>
      {pictures.map((picture, index) => {
        const isUploading = picture.file === null && picture.error === null;
        const percent = Math.round(picture.progress * 100);
        return (
          <li key={picture.key} className={picture.error ? "draft-picture is-failed" : "draft-picture"}>
            <button
              type="button"
              className="picture-button"
              aria-label={t.viewPicture(picture.name)}
              onClick={() => viewPictures(viewed, index)}
            >
              <Thumbnail fileId={picture.file?.id} url={picture.previewUrl} alt={picture.name} />
            </button>
            {isUploading && (
              <span
                className="draft-progress"
                role="progressbar"
                aria-label={t.uploading(picture.name, percent)}
                aria-valuenow={percent}
                aria-valuemin={0}
                aria-valuemax={100}
              >
                <span style={{ width: `${percent}%` }} />
              </span>
            )}
            {picture.error && (
              <button
                type="button"
                className="draft-retry"
                title={picture.error}
                aria-label={t.retryUpload(picture.name)}
                onClick={() => retryUpload(picture)}
              >
                <ReloadOutlined aria-hidden />
              </button>
            )}
            <button
              type="button"
              className="draft-remove"
              aria-label={t.removePicture(picture.name)}
              onClick={() => removePicture(draftId, picture)}
            >
              <CloseOutlined aria-hidden />
            </button>
            {picture.error && (
              <span className="sr-only" role="alert">
                {`${picture.name}: ${t.failed}. ${picture.error}`}
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
