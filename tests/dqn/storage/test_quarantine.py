"""Bits that flip and files that are cut, anywhere in any file of a folder of results.

The same command again must end with the undisturbed tables, or refuse in one line that says what to
do. Nothing is trained: the scheduler, its source and the folder are real, the pool is fake.
"""

import os
import random
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from scripted import BASE, FakePool, Scripted, drive, trials

from dqn.runtime.errors import RunError, UserError
from dqn.storage.results_dir import ResultsDir

TIMES = 30
TABLES = ["seeds.csv", "trials.csv", "episodes.parquet", "weights", "machine.yaml"]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr("dqn.storage.episodes.PART_ROWS", 40)


@pytest.fixture
def whole(tmp_path):
    again(tmp_path / "whole")
    return tmp_path / "whole"


def again(path):
    """The same command: five trials of three seeds; what of it was trained."""
    pool = FakePool(lanes=3)
    drive(path, Scripted(trials()), pool)
    return pool.trained


def tables(path):
    """What must be the same, byte by byte; but for the order of trainings, and their parts."""
    lines = sorted((path / "seeds.csv").read_text().splitlines())
    episodes = pd.read_parquet(path / "episodes.parquet").sort_values(["trial", "seed", "episode"])
    return lines, episodes.to_csv(index=False), (path / "trials.csv").read_text()


def damaged(whole, path, kind, rng):
    """A copy of `whole` at `path`, of which one file has a bit flipped, or is cut."""
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(whole, path)
    pattern = {"episodes.parquet": "episodes.parquet/part-*", "weights": ".weights-*"}
    file = rng.choice(sorted(path.glob(pattern.get(kind, kind))))
    content = bytearray(file.read_bytes())
    at = rng.randrange(len(content))
    if rng.random() < 0.25:
        del content[at:]
    else:
        content[at] ^= 1 << rng.randrange(8)
    file.write_bytes(content)
    return f"{file.name} at {at}"


@pytest.mark.parametrize("kind", TABLES)
def test_the_same_command_again_makes_it_whole(whole, tmp_path, kind, capsys):
    rng, expected = random.Random(kind), tables(whole)
    for _ in range(TIMES):
        where = damaged(whole, tmp_path / "cut", kind, rng)
        trained = again(tmp_path / "cut")
        assert tables(tmp_path / "cut") == expected, where
        assert (kind in ("seeds.csv", "episodes.parquet")) or not trained, where
        text = capsys.readouterr().err
        assert text.count("\n") <= 2, text
        assert again(tmp_path / "cut") == []
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", ["config.yaml", "sweep.yaml"])
def test_a_record_is_refused_or_changes_nothing(whole, tmp_path, kind):
    rng, expected, refused = random.Random(kind), tables(whole), 0
    for _ in range(TIMES):
        where = damaged(whole, tmp_path / "cut", kind, rng)
        refusal = refused_with(tmp_path / "cut")
        if refusal:
            refused += 1
            assert "\n" not in refusal
            assert kind in refusal
            assert "choose another folder with name=NAME" in refusal
        assert tables(tmp_path / "cut") == expected, where
    assert refused > TIMES / 2


def refused_with(path):
    """Why the same command is refused; "" where it was not, and then it trained nothing."""
    try:
        assert again(path) == []
    except (RunError, UserError) as error:
        return str(error)
    return ""


def test_every_digit_of_a_line_is_held_against_its_checksum(whole, tmp_path, capsys):
    """One that is changed in a number that still reads, such as the learning rate, too."""
    lines = (whole / "seeds.csv").read_bytes().splitlines(keepends=True)
    expected = tables(whole)
    digits = [i for i in range(len("0,0,"), len(lines[1])) if lines[1][i : i + 1].isdigit()]
    for i in digits[::5]:
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        shutil.copytree(whole, tmp_path / "cut")
        changed = lines[1][:i] + b"%d" % ((lines[1][i] - 47) % 10) + lines[1][i + 1 :]
        (tmp_path / "cut" / "seeds.csv").write_bytes(b"".join([lines[0], changed, *lines[2:]]))
        assert again(tmp_path / "cut") == [], changed
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        assert "the line of trial 0 seed 0 must be as it was written, is not" in text
        assert tables(tmp_path / "cut") == expected
        (aside,) = (tmp_path / "cut").glob("seeds.csv.damaged-*")
        assert changed in aside.read_bytes()


def test_parts_of_an_older_version_keep_no_checksums_and_are_read(whole):
    for part in (whole / "episodes.parquet").iterdir():
        pd.read_parquet(part).to_parquet(part, index=False)
    (whole / "format.yaml").unlink()
    assert again(whole) == []


def test_a_header_cut_at_its_very_end_is_a_header(tmp_path):
    with ResultsDir(tmp_path, BASE):
        header = (tmp_path / "seeds.csv").read_bytes()
    (tmp_path / "seeds.csv").write_bytes(header[:-1])
    with ResultsDir(tmp_path, BASE):
        assert (tmp_path / "seeds.csv").read_bytes() == header


@contextmanager
def nobodys_folder():
    """A folder that this process may write to, without a right to do so whatever its mode."""
    with tempfile.TemporaryDirectory() as path:
        before = os.geteuid()
        os.chmod(path, 0o777)
        if before == 0:
            os.seteuid(65534)
        try:
            yield Path(path)
        finally:
            os.seteuid(before)


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_may_not_be_written_to_is_refused_and_left_as_it_was(whole, mode):
    again(whole)  # all that Python imports on the way, while it may
    with nobodys_folder() as base:
        path = base / "results"
        again(path)
        expected = tables(path)
        for folder in (path / "episodes.parquet", path):
            folder.chmod(mode)
        with pytest.raises((RunError, UserError), match=r"^[^\n]* \(Permission denied\); [^\n]*$"):
            again(path)
        for folder in (path, path / "episodes.parquet"):
            folder.chmod(0o755)
        assert tables(path) == expected
        assert again(path) == []
