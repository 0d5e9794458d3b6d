"""Judging a folder, measured with the real command."""

from __future__ import annotations

from bench.moderating import measured


def test_each_poster_has_a_report_and_a_row() -> None:
    data = measured(2, seed=3)
    assert (data["num_reports"], data["num_table_rows"]) == (2, 2)
    assert 0 < data["mean_s"] <= data["worst_s"] < data["whole_s"]
