"""What the model has read is kept whole or not at all, fits only what it was made of, and is ignored when damaged."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.llm import prompt_state
from processors.llm.prompt_state import KEPT, PromptState


def kept(folder: Path, *what: str, content: bytes = b"keys and values") -> PromptState:
    """A state as the library would have written it."""
    state = PromptState.of(*what, folder=folder)
    scratch = state.scratch_name()
    (folder / scratch).write_bytes(content)
    state.keep(scratch)
    return state


def test_a_state_is_there_for_the_next_process(tmp_path):
    kept(tmp_path, "model", "prompt")
    again = PromptState.of("model", "prompt", folder=tmp_path)
    assert again.usable()
    assert again.path.read_bytes() == b"keys and values"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".state"]


@pytest.mark.parametrize("what", [("another model", "prompt"), ("model", "another prompt"), ("modelp", "rompt"), ()])
def test_it_fits_nothing_else(tmp_path, what):
    kept(tmp_path, "model", "prompt")
    assert not PromptState.of(*what, folder=tmp_path).usable()


def test_another_version_of_the_rules_makes_it_void(tmp_path, monkeypatch):
    kept(tmp_path, "model")
    monkeypatch.setattr(prompt_state, "FORMAT", prompt_state.FORMAT + 1)
    assert not PromptState.of("model", folder=tmp_path).usable()


@given(
    content=st.binary(min_size=1, max_size=200),
    at=st.integers(min_value=0),
    how=st.sampled_from(["byte", "cut", "longer", "empty", "gone"]),
    which=st.sampled_from([".state", ".json"]),
)
def test_a_damaged_file_is_ignored(content, at, how, which):
    with tempfile.TemporaryDirectory() as name:
        state = kept(Path(name), "model", content=content)
        path = next(Path(name).glob(f"*{which}"))
        whole = path.read_bytes()
        at %= len(whole)
        damaged = {
            "byte": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
            "cut": whole[:at],
            "longer": whole + b"x",
            "empty": b"",
            "gone": None,
        }[how]
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        assert not state.usable()


@pytest.mark.parametrize("mark", ["[]", "null", "1", '{"sha256": null}', "{}", "\udc80"])
def test_a_mark_of_any_shape_is_no_trouble(tmp_path, mark):
    state = kept(tmp_path, "model")
    state.path.with_suffix(".json").write_bytes(mark.encode(errors="surrogateescape"))
    assert not state.usable()


def test_a_crash_while_it_is_written_leaves_nothing_that_counts(tmp_path, monkeypatch):
    state = kept(tmp_path, "model")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(prompt_state, "write_whole", full)
    scratch = state.scratch_name()
    (tmp_path / scratch).write_bytes(b"newer")
    with pytest.raises(OSError, match="no space left"):
        state.keep(scratch)
    assert not state.usable()


def test_only_the_latest_are_kept(tmp_path):
    states = [kept(tmp_path, f"prompt {number}") for number in range(KEPT + 2)]
    for age, state in enumerate(reversed(states)):
        if state.path.exists():
            os.utime(state.path, (1_000 - age, 1_000 - age))
    last = kept(tmp_path, "the last")
    assert last.usable()
    assert len(list(tmp_path.glob("*.state"))) == KEPT
    assert len(list(tmp_path.glob("*.json"))) == KEPT
