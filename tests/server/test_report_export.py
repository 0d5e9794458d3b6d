"""Reports as Excel files over HTTP: what is in them, that nothing of a post becomes a formula, what is refused."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from kandong.rules.packs import load_rules
from kandong.server.report_routes import EXCEL
from kandong.tasks.analyse import TASKS
from kandong.tasks.report_tables import sheets_of_post
from kandong.tasks.table_titles import titled
from kandong.tasks.tables import Cell
from tests.server.test_reports import POSTER, error_of

AT = "/v1/reports/export"
_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def judged(client: FlaskClient, text: str, *pictures: str, tasks: tuple[str, ...] = tuple(TASKS)) -> Any:
    post = {"text": text, "pictures": list(pictures), "product": {"gifts": ["小碗"]}}
    body = {"post": post, "tasks": list(tasks), "use_model": False, "question": "现价是多少？"}
    response = client.post("/v1/reports", json=body)
    assert response.status_code == 200, response.get_json()
    return response.get_json()["reports"]


def sheets_in(book: bytes) -> dict[str, list[list[str]]]:
    """Give the cells of each sheet as texts."""
    with zipfile.ZipFile(io.BytesIO(book)) as file:
        strings = [
            "".join(node.itertext())
            for node in ElementTree.fromstring(file.read("xl/sharedStrings.xml")).iter(f"{_SPACE}si")
        ]
        names = re.findall(r'<sheet name="([^"]+)"', file.read("xl/workbook.xml").decode())
        sheets = {}
        for number, name in enumerate(names, start=1):
            root = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))
            assert not list(root.iter(f"{_SPACE}f")), "a formula"
            assert not list(root.iter(f"{_SPACE}hyperlink")), "a link"
            sheets[name] = [
                [
                    strings[int(v)] if cell.get("t") == "s" else v
                    for cell in row
                    for v in [cell.findtext(f"{_SPACE}v", "")]
                ]
                for row in root.iter(f"{_SPACE}row")
            ]
    return sheets


def test_each_task_and_each_finding_has_its_row(client: FlaskClient) -> None:
    reports = judged(client, "全网最低价，送精美好礼", POSTER)
    response = client.post(AT, json={"reports": reports, "name": "海报"})
    assert response.status_code == 200, response.get_json()
    assert response.mimetype == EXCEL
    assert re.fullmatch(r'attachment; filename="kandong-report-[\d-]+\.xlsx"', response.headers["Content-Disposition"])
    sheets = sheets_in(response.data)
    assert set(sheets) == {*TASKS, "lines", "numbers", "marks", "findings", "claims", "fields", "conflicts"}
    assert sheets["moderate"][1][:3] == ["海报", reports["moderate"]["status"], "block"]
    head, *findings = sheets["findings"]
    assert head[:3] == ["post", "kind", "rule"]
    result = reports["moderate"]["result"]
    kinds = ("hits", "missing_notices", "needs_proof", "arithmetic", "exempted", "suspected_instructions")
    assert len(findings) == sum(len(result[kind]) for kind in kinds)
    assert ["海报", "hits", "AD9-3"] in [row[:3] for row in findings]
    assert len(sheets["lines"]) - 1 == len(reports["read"]["result"]["images"][0]["lines"])


def test_in_chinese_everything_but_the_words_of_the_post_is_chinese(client: FlaskClient) -> None:
    reports = judged(client, "全网最低价，送精美好礼", POSTER)
    english = sheets_in(client.post(AT, json={"reports": reports, "name": "海报"}).data)
    chinese = sheets_in(client.post(AT, json={"reports": reports, "name": "海报", "language": "zh"}).data)
    assert len(chinese) == len(english)
    for title, (head, *_) in chinese.items():
        assert not [name for name in (title, *head) if name.isascii()]
        assert len(set(head)) == len(head)
    assert chinese["审核"][1][2] == "拦截"
    assert {row[1] for row in chinese["审核发现"][1:]} >= {"违规"}
    plain = sheets_of_post("海报", reports)
    for (title, columns, rows), (_, _, named) in zip(plain, titled(plain, "zh"), strict=True):
        own = [i for i, column in enumerate(columns) if column in ("quote", "text", "term", "remedy", "rule")]
        assert [[row[i] for i in own] for row in rows] == [[row[i] for i in own] for row in named], title


def test_every_kind_of_finding_has_a_chinese_name() -> None:
    rules = load_rules().rules
    rows: list[list[Cell]] = [[str(rule.label), rule.sub_label] for rule in rules]
    [(_, _, named)] = titled([("moderate", ("label", "sub_label"), rows)], "zh")
    assert not [cell for row in named for cell in row if str(cell).isascii() and cell]
    assert len({sub_label for _, sub_label in named}) == len({sub_label for _, sub_label in rows})


def test_columns_of_a_schema_of_ones_own_stay_as_they_are() -> None:
    sheets = titled([("extract", ("post", "店名", "colour", "is_new"), [["a", "b", "verified", True]])], "zh")
    assert sheets == [("提取", ("帖子", "店名", "colour", "is_new"), [["a", "b", "verified", "是"]])]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "https://evil.example/"])
def test_no_text_of_a_post_becomes_a_formula_or_a_link(client: FlaskClient, start: str) -> None:
    text = f'{start}HYPERLINK("http://evil.example","全网最低价")'
    reports = judged(client, text, tasks=("moderate", "ask"))
    reports["moderate"]["result"]["hits"][0]["evidence"]["quote"] = text
    sheets = sheets_in(client.post(AT, json={"reports": reports, "name": text}).data)
    assert sheets["findings"][1][0].strip() == text.strip()
    assert any(text.strip() == cell.strip() for cell in sheets["findings"][1][1:])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "reports"),
        ({"reports": {}}, "reports"),
        ({"reports": {"dance": {}}}, "reports"),
        ({"reports": {"read": {}}}, "reports.read"),
        ({"reports": {"moderate": {"result": {"hits": 3}}}}, "reports.moderate"),
        ({"reports": {"extract": {"result": []}}}, "reports.extract"),
        ({"reports": {"read": 3}}, "reports"),
        ({"reports": {"read": {}}, "format": "pdf"}, "format"),
    ],
)
def test_what_is_no_report_is_refused_by_name(client: FlaskClient, body: dict[str, Any], param: str) -> None:
    response = client.post(AT, json=body)
    assert response.status_code == 400, response.data[:200]
    assert error_of(response)["param"].startswith(param)


def test_values_of_odd_kinds_are_written_as_text(client: FlaskClient) -> None:
    reports = judged(client, "全网最低价", tasks=("moderate", "extract"))
    reports["moderate"]["result"]["score"] = 10**400
    reports["extract"]["result"]["brand"] = {"a": ["=1+1"]}
    sheets = sheets_in(client.post(AT, json={"reports": reports}).data)
    assert "1" + "0" * 400 in sheets["moderate"][1]
    assert "{'a': ['=1+1']}" in sheets["extract"][1]
