"""Uploading, listing, showing and deleting pictures over HTTP; what is hostile is refused and harms nobody."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from kandong.reading.images import decode_picture
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.services import Services
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Request
from kandong.vlm.sampling import SamplingParameters
from tests.inspection import GOLDEN

SQUARE = (GOLDEN / "pictures" / "square.png").read_bytes()
OTHER = (GOLDEN / "pictures" / "other.png").read_bytes()


def upload(client: FlaskClient, data: bytes = SQUARE, name: str = "a.png", query: str = "warm=0", **fields: str) -> Any:
    # Written by hand, as Flask's client would spool it to the disk.
    parts = [f'form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in fields.items()]
    parts.append(f'form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n")
    body = b"".join(b"--frame\r\nContent-Disposition: " + part for part in parts) + b"--frame--\r\n"
    return client.post(f"/v1/files?{query}", data=body, content_type="multipart/form-data; boundary=frame")


def test_upload_says_what_was_seen(client: FlaskClient) -> None:
    answer = upload(client, name="促销.png", purpose="user_data")
    assert answer.status_code == 200
    body = answer.json
    picture = decode_picture(SQUARE)
    assert body["id"].startswith("file-")
    assert (body["object"], body["bytes"], body["filename"]) == ("file", len(SQUARE), "促销.png")
    assert (body["purpose"], body["status"]) == ("user_data", "processed")
    facts = body["kandong"]
    assert facts["sha256"] == picture.digest
    assert (facts["width_px"], facts["height_px"], facts["format"]) == (picture.width_px, picture.height_px, "png")
    assert facts["num_tokens"] > 0
    assert client.get(f"/v1/files/{body['id']}").json == body


def test_tokens_are_those_that_the_engine_counts(client: FlaskClient, engine: SupervisedEngine) -> None:
    told = upload(client).json["kandong"]["num_tokens"]
    request = Request(
        [Message("user", (PicturePart(0), TextPart("？")))], [decode_picture(SQUARE)], SamplingParameters(max_tokens=1)
    )
    assert engine.submit(request, client="x").result(60).pictures[0].num_tokens == told


def test_content_is_encoded_anew_and_drops_all_that_is_no_pixel(client: FlaskClient) -> None:
    secret = b"<script>alert(1)</script>"
    exif = Image.Exif()
    exif[0x010E] = secret.decode()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(np.asarray(decode_picture(SQUARE).rgb)).resize((90, 40)).save(out, "JPEG", exif=exif)
    sent = out.getvalue() + secret
    file_id = upload(client, sent).json["id"]
    answer = client.get(f"/v1/files/{file_id}/content", buffered=True)
    assert answer.content_type == "image/png"
    assert secret not in answer.data
    assert np.array_equal(decode_picture(answer.data).rgb, decode_picture(sent).rgb)
    assert decode_picture(answer.data).height_px == 90
    small = client.get(f"/v1/files/{file_id}/content?size=thumb", buffered=True)
    assert small.content_type == "image/jpeg"
    assert decode_picture(small.data).width_px == 40
    again = client.get(f"/v1/files/{file_id}/content", headers={"If-None-Match": answer.headers["ETag"]}, buffered=True)
    assert again.status_code == 304
    assert "private" in answer.headers["Cache-Control"]


def get(client: FlaskClient, address: str) -> Any:
    return client.get(address).json


def test_list_pages_and_deletes(client: FlaskClient) -> None:
    ids = [upload(client, data).json["id"] for data in (SQUARE, OTHER, SQUARE)]
    page = get(client, "/v1/files?limit=2")
    assert [file["id"] for file in page["data"]] == [ids[2], ids[1]]
    assert (page["object"], page["has_more"], page["last_id"]) == ("list", True, ids[1])
    rest = get(client, f"/v1/files?limit=2&after={page['last_id']}")
    assert ([file["id"] for file in rest["data"]], rest["has_more"]) == ([ids[0]], False)
    gone = client.delete(f"/v1/files/{ids[0]}")
    assert gone.json == {"id": ids[0], "object": "file", "deleted": True}
    for address in (f"/v1/files/{ids[0]}", f"/v1/files/{ids[0]}/content"):
        assert client.get(address).status_code == 404
    assert client.delete(f"/v1/files/{ids[0]}").status_code == 404
    assert len(get(client, "/v1/files")["data"]) == 2


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "order=up", "purpose=batch"])
def test_query_out_of_range_is_named(client: FlaskClient, query: str) -> None:
    assert get(client, f"/v1/files?{query}")["error"]["param"] == query.split("=")[0]


HOSTILE = {
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 415),
    "html as png": (b"<!doctype html><script>alert(1)</script>", 415),
    "empty": (b"", 415),
    "pdf": (b"%PDF-1.7\n", 415),
    "cut": (SQUARE[: len(SQUARE) // 2], 400),
    "tiff": (b"II*\x00" + b"\x00" * 100, 415),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_picture_is_refused(client: FlaskClient, tmp_path: Path, name: str) -> None:
    data, status = HOSTILE[name]
    answer = upload(client, data)
    assert answer.status_code == status, answer.json
    assert answer.json["error"]["code"].startswith("picture_")
    assert answer.json["error"]["param"] == "file"
    assert not [path for path in (tmp_path / "data" / "media").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "file"),
        ({"file": "not a file"}, "file"),
        ({"file": [(io.BytesIO(SQUARE), "a"), (io.BytesIO(SQUARE), "b")]}, "file"),
        ({"file": (io.BytesIO(SQUARE), "a"), "purpose": "fine-tune"}, "purpose"),
    ],
    ids=["nothing", "text", "two", "purpose"],
)
def test_form_that_is_wrong_names_the_part(client: FlaskClient, fields: dict[str, Any], param: str) -> None:
    answer = client.post("/v1/files", data=fields, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]["param"] == param


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"x" * 1000, "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
            "multipart/form-data; boundary=x",
        ),
        (b"--\xff", "multipart/form-data; boundary=\xff"),
    ],
    ids=["json", "cut", "no boundary", "cut in the file", "boundary"],
)
def test_body_that_is_no_form_is_refused(client: FlaskClient, body: bytes, content_type: str) -> None:
    answer = client.post("/v1/files", data=body, content_type=content_type)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]["code"] == "invalid_request"


def test_many_parts_and_long_fields_are_refused(client: FlaskClient) -> None:
    many = {f"f{i}": "x" for i in range(50)} | {"file": (io.BytesIO(SQUARE), "a")}
    assert client.post("/v1/files", data=many).status_code == 413
    assert upload(client, user="x" * 1_000_000).status_code == 413
    long = upload(client, user="x" * 10_000)
    assert (long.status_code, long.json["error"]["param"]) == (400, "user")


class TestSmallCap:
    """With a cap of 100,000 bytes."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Any:
        from kandong.settings import Settings

        return Settings(data_folder=tmp_path / "data", max_upload_bytes=100_000)

    @pytest.mark.parametrize("num_bytes", [100_001, 120_000, 5_000_000])
    def test_too_large_is_told(self, client: FlaskClient, num_bytes: int) -> None:
        answer = upload(client, SQUARE + b"\0" * (num_bytes - len(SQUARE)))
        assert answer.status_code == 413
        assert answer.json["error"]["code"] == "body_too_large"


def test_upload_warms_and_the_question_finds_it(client: FlaskClient, services: Services) -> None:
    data = _noise_png(77, 320)
    upload(client, data, query="")
    assert services.warmings.wait(60)
    message = Message("user", (PicturePart(0), TextPart("价格？")))
    request = Request([message], [decode_picture(data)], SamplingParameters(max_tokens=1))
    answer = services.engine.submit(request, client="local").result(60)
    assert answer.pictures[0].origin in ("memory", "prefix")
    assert answer.counts.num_cached_tokens > 0


def test_without_warming_nothing_is_computed(client: FlaskClient, services: Services) -> None:
    before = services.host.metrics()["client_submitted"]
    upload(client, _noise_png(78), query="warm=0")
    assert services.host.metrics()["client_submitted"] == before


def test_nothing_uploaded_touches_the_disk_as_it_came(client: FlaskClient, tmp_path: Path, app: Flask) -> None:
    data = _noise_png(79, 900)
    digest = hashlib.sha256(data).hexdigest()
    upload(client, data)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert digest not in {hashlib.sha256(content).hexdigest() for content in written}
    assert app.config["MAX_FORM_PARTS"] >= 1


def _noise_png(seed: int, side_px: int = 64) -> bytes:
    out = io.BytesIO()
    rgb = np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), np.uint8)
    Image.fromarray(rgb).save(out, "PNG")
    return out.getvalue()
