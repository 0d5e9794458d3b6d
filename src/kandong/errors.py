"""The one tree of errors that Kandong shows to people and programs.

Owns: the code, HTTP status, exit code, retryability and hint of every failure that a user can cause or meet.
Must not know: who shows them. The CLI prints ``message`` and ``hint``; the API turns the same object into JSON.

    KandongError                      internal_error           exit 1
    ├── InputError                    invalid_request          exit 2
    │   ├── PictureError              picture_invalid          exit 3
    │   │   ├── PictureFormatError    picture_format           exit 3
    │   │   ├── PictureDamagedError   picture_damaged          exit 3
    │   │   └── PictureLimitError     picture_limit            exit 3
    │   ├── RulePackError          rule_pack_invalid        exit 2
    │   └── PromptTooLongError        context_length_exceeded  exit 3
    ├── ModelError                    model_error              exit 4
    │   ├── ModelNotFoundError        model_not_found          exit 4
    │   └── CheckpointError           checkpoint_invalid       exit 4
    ├── ResourceError                 out_of_memory            exit 5
    ├── DownloadError                 download_failed          exit 6
    │   ├── DownloadRefusedError      download_refused         exit 6
    │   └── DiskSpaceError            disk_full                exit 6
    └── CancelledError                cancelled                exit 130

Messages never hold a memory address, a traceback or text of a third-party exception. A path appears only where the
caller passed that path in; the API layer passes digests and names, never paths.
"""

from __future__ import annotations

from typing import ClassVar


class KandongError(Exception):
    """Any failure with a stable code. ``message`` says what is wrong, ``hint`` what to do about it."""

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def to_dict(self) -> dict[str, object]:
        """Give the one JSON shape: ``{code, message, hint, field, retryable}``."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "field": self.field,
            "retryable": self.retryable,
        }


class InputError(KandongError):
    """The caller sent something that cannot be used; ``field`` names it."""

    code = "invalid_request"
    http_status = 400
    exit_code = 2


class PictureError(InputError):
    """A picture cannot be used."""

    code = "picture_invalid"
    exit_code = 3


class PictureFormatError(PictureError):
    """The bytes are not a picture, or not of a format on the allow-list."""

    code = "picture_format"
    http_status = 415


class PictureDamagedError(PictureError):
    """The format is right, but the picture cannot be decoded to its end."""

    code = "picture_damaged"


class PictureLimitError(PictureError):
    """The picture is over a cap on bytes, pixels, side or aspect ratio."""

    code = "picture_limit"
    http_status = 413


class PromptTooLongError(InputError):
    """Prompt and pictures do not fit the context."""

    code = "context_length_exceeded"
    exit_code = 3


class RulePackError(InputError):
    """A rule pack cannot be used; the message names pack, rule and field."""

    code = "rule_pack_invalid"


class ModelError(KandongError):
    """The model cannot be used."""

    code = "model_error"
    http_status = 503
    exit_code = 4


class ModelNotFoundError(ModelError):
    """No weights are at the given place or under the given name."""

    code = "model_not_found"
    http_status = 404


class CheckpointError(ModelError):
    """The folder is not a complete, undamaged dense Qwen3-VL checkpoint."""

    code = "checkpoint_invalid"


class ResourceError(KandongError):
    """The machine has not enough memory for what was asked."""

    code = "out_of_memory"
    http_status = 503
    exit_code = 5
    retryable = True


class DownloadError(KandongError):
    """A model could not be fetched; what was fetched is kept, and the same command goes on from there."""

    code = "download_failed"
    http_status = 502
    exit_code = 6
    retryable = True


class DownloadRefusedError(DownloadError):
    """The source answers and says no, or offers what cannot be taken: trying again changes nothing."""

    code = "download_refused"
    retryable = False


class DiskSpaceError(DownloadError):
    """The disk has not enough room for the model."""

    code = "disk_full"
    http_status = 507
    retryable = False


class CancelledError(KandongError):
    """The caller cancelled the request."""

    code = "cancelled"
    http_status = 499
    exit_code = 130
