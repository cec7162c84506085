"""The OpenMP runtime where the system has none: a copy is fetched, checked, renamed and loaded; else one sentence."""

import ctypes
import io
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from contracts.llm import LanguageModelError
from processors.llm import llama_server, openmp
from processors.llm.local import LocalModel
from processors.models import downloads
from processors.models.downloads import Member, Wheel

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems' builds need no libgomp")


def _a_library(tmp_path: Path, soname: str) -> bytes:
    """A small shared library that calls itself ``soname`` and says 42."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on the PATH")
    (tmp_path / "answer.c").write_text("int parley_answer(void) { return 42; }\n")
    built = tmp_path / soname
    subprocess.run(
        ["cc", "-shared", "-fPIC", f"-Wl,-soname,{soname}", "-o", str(built), str(tmp_path / "answer.c")], check=True
    )
    return built.read_bytes()


@linux_only
def test_a_renamed_library_satisfies_the_dynamic_linker_by_its_usual_name(tmp_path):
    """In a process of its own: a library that needs the usual name loads only once the renamed copy is there."""
    hashed = "libparley-0123abcd.so.1.0.0"
    _a_library(tmp_path, hashed)
    renamed = (tmp_path / hashed).read_bytes().replace(hashed.encode() + b"\0", b"libparley.so.1".ljust(28, b"\0"))
    (tmp_path / "kept").write_bytes(renamed)
    (tmp_path / "libparley.so.1").write_bytes(renamed)
    (tmp_path / "user.c").write_text("int parley_answer(void); int ask(void) { return parley_answer(); }\n")
    user = tmp_path / "libuser.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", str(user), str(tmp_path / "user.c"), str(tmp_path / "libparley.so.1")],
        check=True,
    )
    (tmp_path / "libparley.so.1").unlink()
    load_user = f"import ctypes; u = ctypes.CDLL({str(user)!r}); print(u.ask())"
    alone = subprocess.run([sys.executable, "-c", load_user], capture_output=True, text=True, check=False)
    assert "libparley.so.1: cannot open shared object file" in alone.stderr
    preloaded = f"import ctypes; ctypes.CDLL({str(tmp_path / 'kept')!r}, ctypes.RTLD_GLOBAL); {load_user}"
    helped = subprocess.run([sys.executable, "-c", preloaded], capture_output=True, text=True, check=False)
    assert helped.stdout.strip() == "42", helped.stderr
    renamed_name = b"libgomp.so.1".ljust(len("libgomp-1.so.1.0.0") + 1, b"\0")
    assert openmp.renamed(b"..libgomp-1.so.1.0.0\0..", "libgomp-1.so.1.0.0") == b".." + renamed_name + b".."


@pytest.mark.parametrize("library", [b"", b"no name", b"twice.so\0 twice.so\0"])
def test_a_library_that_does_not_hold_its_name_once_is_refused(library):
    with pytest.raises(OSError, match=r"twice\.so does not hold its own name once"):
        openmp.renamed(library, "twice.so")


@pytest.fixture
def no_system_library(monkeypatch):
    """A system without libgomp: the linker knows no such name."""
    real = ctypes.CDLL

    def without(name, *args):
        if name == openmp.SONAME:
            raise OSError(f"{openmp.SONAME}: cannot open shared object file: No such file or directory")
        return real(name, *args)

    monkeypatch.setattr(openmp.ctypes, "CDLL", without)


@pytest.fixture
def index(monkeypatch, tmp_path):
    """The package index: serves one wheel with one library; ``asked`` counts."""
    machine, name = platform.machine(), "libgomp-0123abcd.so.1.0.0"
    library = _a_library(tmp_path, name)
    member = Member(f"some.libs/{name}", downloads.hashlib.sha256(library).hexdigest())
    monkeypatch.setitem(openmp.COPIES, machine, (Wheel("some==1.0"), member))
    monkeypatch.setenv("PARLEY_CACHE", str(tmp_path / "cache"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(member.path, library)
    asked = []

    def download(wheel, folder, pip):
        asked.append(wheel.requirement)
        path = folder / "some-1.0-py3-none-any.whl"
        path.write_bytes(content.getvalue())
        return path

    monkeypatch.setattr(downloads, "download_wheel", download)
    return asked


@linux_only
def test_the_copy_is_fetched_once_and_loaded(no_system_library, index, tmp_path):
    openmp.ensure_openmp()
    openmp.ensure_openmp()
    kept = tmp_path / "cache" / "lib" / platform.machine()
    assert index == ["some==1.0"]
    assert sorted(path.name for path in kept.iterdir()) == ["fetch.lock", openmp.SONAME]
    assert ctypes.CDLL(str(kept / openmp.SONAME)).parley_answer() == 42


@linux_only
async def test_without_it_the_model_is_an_error_that_says_what_to_install(no_system_library, monkeypatch, tmp_path):
    def no_index(*_):
        raise OSError("pykdtree==1.4.3: no network")

    monkeypatch.setattr(openmp, "fetch_members", no_index)
    monkeypatch.setenv("PARLEY_CACHE", str(tmp_path))
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    model = LocalModel(own)
    with pytest.raises(LanguageModelError) as error:
        await model.warm("You are a voice.")
    await model.close()
    text = str(error.value)
    assert "apt install libgomp1" in text
    assert "no network" in text
    assert "\n" not in text
    assert not error.value.retryable


@pytest.mark.parametrize("failure", [ImportError("libfancy.so.3: cannot open shared object file"), OSError("no room")])
async def test_a_library_that_cannot_be_loaded_is_an_error_of_one_line(monkeypatch, tmp_path, failure):
    def cannot(_name):
        raise failure

    monkeypatch.setattr(llama_server.importlib, "import_module", cannot)
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    model = LocalModel(own)
    with pytest.raises(LanguageModelError, match=f"the model cannot be loaded: {failure}"):
        await model.warm("You are a voice.")
    await model.close()


def test_there_is_a_copy_for_every_linux_that_the_library_is_built_for():
    assert {"x86_64", "aarch64"} <= set(openmp.COPIES)
    assert all("linux" in wheel.platforms[0] and os.sep in member.path for wheel, member in openmp.COPIES.values())
