"""Whether the service can work now, and if not, why.

Owns: the reasons. Must not know: HTTP.
"""

from __future__ import annotations

import shutil

from kandong.server.services import Services
from kandong.settings import data_folder

_WORDS = {
    "starting": "the model is loading",
    "restarting": "the engine is being started again",
    "missing": "the model's weights are not on this machine",
    "downloading": "the model is being downloaded",
    "failed": "the model cannot be loaded",
    "unavailable": "the engine died too often and rests",
    "unresponsive": "the engine does not answer",
    "draining": "the engine is stopping",
}


def disk_free_bytes(services: Services) -> int:
    """Give the free room where the service keeps its files; 0 where the folder is gone."""
    try:
        return shutil.disk_usage(data_folder(services.settings)).free
    except OSError:
        return 0


def why_not_ready(services: Services) -> list[str]:
    """Give the reasons why a request would not be carried out now; none if it would."""
    reasons = []
    if services.admission.is_draining:
        reasons.append("the service is stopping")
    state = services.host.responding_state()
    if state != "ready":
        reasons.append(_WORDS.get(state, f"the engine is {state}"))
    if disk_free_bytes(services) < services.settings.min_free_bytes:
        reasons.append("the disk is almost full")
    return reasons
