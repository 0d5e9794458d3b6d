"""When the page is built, and that nothing is shipped without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import page_build
from scripts.page_build import PageBuildError, check_page, ensure_page, is_fresh, output_folder, source_stamp


@pytest.fixture
def project(tmp_path: Path) -> Path:
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    (web / "public").mkdir()
    (web / "src" / "main.tsx").write_bytes(b"a\nb\n")
    for name in ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"):
        (web / name).write_text("{}", "utf-8")
    return tmp_path


def built(project: Path) -> Path:
    folder = output_folder(project)
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<script src="./assets/index-abc.js"></script>', "utf-8")
    (folder / "assets" / "index-abc.js").write_text("1", "utf-8")
    (folder / page_build.STAMP).write_text(source_stamp(project), "utf-8")
    return folder


def test_the_stamp_changes_with_what_determines_the_build_and_with_nothing_else(project: Path) -> None:
    before = source_stamp(project)
    (project / "web" / "src" / "main.tsx").write_bytes(b"a\r\nb\r\n")
    (project / "web" / "src" / "main.test.tsx").write_text("x", "utf-8")
    assert source_stamp(project) == before
    stamps = {before}
    for name in ("src/main.tsx", "package-lock.json", "index.html"):
        (project / "web" / name).write_text("other", "utf-8")
        stamps.add(source_stamp(project))
    (project / "web" / "src" / "main.tsx").rename(project / "web" / "src" / "renamed.tsx")
    stamps.add(source_stamp(project))
    assert len(stamps) == 5


def test_an_equal_build_is_reused_without_node(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(project)
    monkeypatch.setenv("PATH", "")
    assert is_fresh(project)
    assert ensure_page(project) is False


def test_without_node_an_old_build_is_refused_with_the_remedy(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(project)
    (project / "web" / "src" / "main.tsx").write_text("changed", "utf-8")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PageBuildError, match="make page"):
        ensure_page(project)


def test_nothing_is_shipped_without_the_page_or_with_half_of_it(project: Path) -> None:
    with pytest.raises(PageBuildError, match=r"index\.html"):
        check_page(project)
    folder = built(project)
    check_page(project)
    (folder / "assets" / "index-abc.js").unlink()
    with pytest.raises(PageBuildError, match="index-abc"):
        check_page(project)


def test_a_missing_source_is_named(project: Path) -> None:
    (project / "web" / "index.html").unlink()
    with pytest.raises(PageBuildError, match=r"web/index\.html"):
        source_stamp(project)
