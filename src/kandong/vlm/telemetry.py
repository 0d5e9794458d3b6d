"""What the engine counts over its whole life, for a metrics page.

Owns: the counters and their names. Must not know: who reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from kandong.vlm.request import Answer, Cancelled, Event, Failed


@dataclass
class Telemetry:
    """Totals since the start; times in milliseconds. Requests that ended: finished, cancelled, failed."""

    num_submitted: int = 0
    num_finished: int = 0
    num_cancelled: int = 0
    num_failed: int = 0
    num_preemptions: int = 0
    num_language_steps: int = 0
    num_vision_stages: int = 0
    num_step_tokens: int = 0
    num_step_sequences: int = 0
    num_prompt_tokens: int = 0
    num_cached_tokens: int = 0
    num_prefix_hits: int = 0
    num_prefix_misses: int = 0
    num_generated_tokens: int = 0
    num_drafted_tokens: int = 0
    num_accepted_tokens: int = 0
    num_forced_tokens: int = 0
    language_ms: float = 0.0
    vision_ms: float = 0.0
    queue_ms: float = 0.0

    def count_step(self, num_sequences: int, num_tokens: int, seconds: float) -> None:
        """Count one run of the language model."""
        self.num_language_steps += 1
        self.num_step_sequences += num_sequences
        self.num_step_tokens += num_tokens
        self.language_ms += seconds * 1e3

    def count_stage(self, seconds: float) -> None:
        """Count one stage of the tower."""
        self.num_vision_stages += 1
        self.vision_ms += seconds * 1e3

    def count_end(self, event: Event) -> None:
        """Count the end of a request."""
        if isinstance(event, Cancelled):
            self.num_cancelled += 1
        elif isinstance(event, Failed):
            self.num_failed += 1
        elif isinstance(event, Answer):
            self.num_finished += 1
            self.num_prompt_tokens += event.num_prompt_tokens
            self.num_generated_tokens += event.num_generated_tokens
            self.num_cached_tokens += event.counts.num_cached_tokens
            self.num_prefix_hits += event.counts.num_cached_tokens > 0
            self.num_prefix_misses += event.counts.num_cached_tokens == 0
            self.num_drafted_tokens += event.counts.num_drafted_tokens
            self.num_accepted_tokens += event.counts.num_accepted_tokens
            self.num_forced_tokens += event.counts.num_forced_tokens
            self.num_preemptions += event.counts.num_preemptions
            self.queue_ms += event.timings.queue_ms

    def snapshot(self) -> dict[str, float]:
        """Give all counters by name."""
        return {counter.name: getattr(self, counter.name) for counter in fields(self)}
