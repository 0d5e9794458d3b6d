"""The one tree of errors that Kandong shows to people and programs.

Owns: the code, HTTP status, exit code, retryability and hint of every failure that a user can cause or meet.
Must not know: who shows them. The CLI prints ``message`` and ``hint``; the API turns the same object into JSON.

    KandongError                      internal_error           exit 1
    ├── InputError                    invalid_request          exit 2
    │   ├── PictureError              picture_invalid          exit 3
    │   │   ├── PictureFormatError    picture_format           exit 3
    │   │   ├── PictureDamagedError   picture_damaged          exit 3
    │   │   └── PictureLimitError     picture_limit            exit 3
    │   ├── PromptTooLongError        context_length_exceeded  exit 3
    │   ├── GrammarError              grammar_invalid          exit 2
    │   ├── RulePackError             rule_pack_invalid        exit 2
    │   ├── NotFoundError             not_found                exit 2
    │   ├── NotAllowedMethodError     method_not_allowed       exit 2
    │   ├── BodyTooLargeError         body_too_large           exit 2
    │   ├── RequestTimeoutError       request_timeout          exit 2
    │   ├── ConflictError             conflict                 exit 2
    │   │   ├── ConversationBusyError conversation_busy        exit 2
    │   │   └── InProgressError       request_in_progress      exit 2
    │   ├── KeyReusedError            idempotency_key_reused   exit 2
    │   └── SettingError              setting_invalid          exit 2
    ├── AccessError                   access_refused           exit 2
    │   ├── MissingKeyError           key_missing              exit 2
    │   ├── ScopeError                scope_missing            exit 2
    │   └── ForeignOriginError        origin_refused           exit 2
    ├── RateLimitError                rate_limited             exit 7
    ├── StorageError                  storage_failed           exit 6
    ├── ModelError                    model_error              exit 4
    │   ├── ModelNotFoundError        model_not_found          exit 4
    │   └── CheckpointError           checkpoint_invalid       exit 4
    ├── ResourceError                 out_of_memory            exit 5
    ├── DownloadError                 download_failed          exit 6
    │   ├── DownloadRefusedError      download_refused         exit 6
    │   └── DiskSpaceError            disk_full                exit 6
    ├── EngineProcessError            engine_error             exit 7
    │   ├── EngineLostError           engine_lost              exit 7
    │   ├── EngineUnavailableError    engine_unavailable       exit 7
    │   ├── QueueFullError            queue_full               exit 7
    │   ├── DeadlineExceededError     deadline_exceeded        exit 7
    │   └── PoisonRequestError        poison_request           exit 7
    └── CancelledError                cancelled                exit 130

Messages never hold a memory address, a traceback or text of a third-party exception. A path appears only where the
caller passed that path in; the API layer passes digests and names, never paths.
"""

from __future__ import annotations

from typing import ClassVar


class KandongError(Exception):
    """Any failure with a stable code.

    ``message`` says what is wrong, ``hint`` what to do about it, ``retry_after_s`` when to come again if that is known.
    """

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    default_retry_after_s: ClassVar[int | None] = None

    def __init__(
        self, message: str, *, hint: str | None = None, field: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.retry_after_s = self.default_retry_after_s if retry_after_s is None else retry_after_s

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


class GrammarError(InputError):
    """The form asked of the answer (a JSON Schema, a pattern, choices) cannot be enforced."""

    code = "grammar_invalid"


class RulePackError(InputError):
    """A rule pack cannot be used; the message names pack, rule and field."""

    code = "rule_pack_invalid"


class NotFoundError(InputError):
    """There is no such thing, or none of this caller's."""

    code = "not_found"
    http_status = 404


class NotAllowedMethodError(InputError):
    """The address exists, but not with this method."""

    code = "method_not_allowed"
    http_status = 405


class BodyTooLargeError(InputError):
    """The body of a request is over its cap."""

    code = "body_too_large"
    http_status = 413


class RequestTimeoutError(InputError):
    """A client took too long to send its request."""

    code = "request_timeout"
    http_status = 408
    retryable = True


class ConflictError(InputError):
    """What was asked does not fit the state that things are in."""

    code = "conflict"
    http_status = 409


class InProgressError(ConflictError):
    """A request with the same ``Idempotency-Key`` is being answered; its answer can be fetched a little later."""

    code = "request_in_progress"
    retryable = True
    default_retry_after_s = 1


class KeyReusedError(InputError):
    """An ``Idempotency-Key`` was used before, for another request."""

    code = "idempotency_key_reused"
    http_status = 422


class ConversationBusyError(ConflictError):
    """An answer is being written in this conversation."""

    code = "conversation_busy"


class SettingError(InputError):
    """A setting of the service is unknown, of the wrong type, or not safe; the message names where it was set."""

    code = "setting_invalid"


class AccessError(KandongError):
    """The caller may not do this."""

    code = "access_refused"
    http_status = 403
    exit_code = 2


class MissingKeyError(AccessError):
    """No API key was given, or not a valid one."""

    code = "key_missing"
    http_status = 401


class ScopeError(AccessError):
    """The API key is valid, but not for this."""

    code = "scope_missing"


class ForeignOriginError(AccessError):
    """The request comes from another site's page, or names a host that this server is not."""

    code = "origin_refused"


class RateLimitError(KandongError):
    """The caller is over its own limit; ``retry_after_s`` says when it may come again."""

    code = "rate_limited"
    http_status = 429
    exit_code = 7
    retryable = True
    default_retry_after_s = 1


class StorageError(KandongError):
    """The service's own files cannot be read or written; what was acknowledged before is kept."""

    code = "storage_failed"
    http_status = 507
    exit_code = 6
    retryable = True


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


class EngineProcessError(KandongError):
    """The engine's process did not carry a request to its end."""

    code = "engine_error"
    http_status = 503
    exit_code = 7


class EngineLostError(EngineProcessError):
    """The engine died after a part of the answer had been handed out; the whole request can be sent again."""

    code = "engine_lost"
    retryable = True


class EngineUnavailableError(EngineProcessError):
    """There is no engine to take a request: it drains, is stopped, or died too often and rests."""

    code = "engine_unavailable"
    retryable = True


class QueueFullError(EngineProcessError):
    """As many requests wait as may wait; ``retry_after_s`` predicts when there is room."""

    code = "queue_full"
    retryable = True
    default_retry_after_s = 1


class DeadlineExceededError(EngineProcessError):
    """The request was not done by the time that its caller set."""

    code = "deadline_exceeded"
    http_status = 504
    retryable = True


class PoisonRequestError(EngineProcessError):
    """The engine died of this very request twice: it is not tried again."""

    code = "poison_request"
    http_status = 422


class CancelledError(KandongError):
    """The caller cancelled the request."""

    code = "cancelled"
    http_status = 499
    exit_code = 130
