"""Folders of formats 1 and 2 on the way to the present one: killed at any moment, or edited."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from earlier import DATA
from killed import before_each_call

from dqn.config import Config
from dqn.storage.episodes import read_part
from dqn.storage.manifest import CONFIG, SWEEP, read_config, read_sweep
from dqn.storage.results_dir import ResultsDir

FOLDERS = [
    DATA.parent / version / kind for version in ("0.1.0", "0.2.0") for kind in ("run", "grid")
]

RUNS = FOLDERS[::2]


def opened(path: Path) -> ResultsDir:
    config = Config.from_mapping(read_config(path / CONFIG) or {})
    sweep = read_sweep(path / SWEEP)
    return ResultsDir(path, config, sweep and {k: v for k, v in sweep.items() if k != "identity"})


def prepare(path: Path) -> None:
    for number, folder in enumerate(RUNS):
        shutil.copytree(folder, path / f"{number}", ignore=shutil.ignore_patterns("*.png", "*.gif"))


def work_to_be_killed(path: Path) -> None:
    for number in range(len(RUNS)):
        opened(path / f"{number}").close()


def files(path: Path) -> list:
    names = ("seeds.csv", "trials.csv", "format.yaml")
    episodes = pd.read_parquet(path / "episodes.parquet")
    return [*((path / name).read_text() for name in names), episodes.to_csv()]


def test_a_kill_while_a_folder_is_carried_over_changes_nothing(tmp_path, capsys):
    prepare(tmp_path / "whole")
    work_to_be_killed(tmp_path / "whole")
    whole = [files(tmp_path / "whole" / f"{n}") for n in range(len(RUNS))]
    kills = before_each_call(__file__, tmp_path, prepared=True)
    assert kills >= 2 * 9
    for calls in range(1, kills + 1):
        work_to_be_killed(tmp_path / str(calls))
        assert [files(tmp_path / str(calls) / f"{n}") for n in range(len(RUNS))] == whole
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_by_then_its_parts_have_the_rows_that_its_table_had(tmp_path, folder):
    shutil.copytree(folder, tmp_path / "old")
    old = pd.read_csv(folder / "seeds.csv", engine="python")
    opened(tmp_path / "old").close()
    (part,) = (tmp_path / "old" / "episodes.parquet").iterdir()
    lines = [
        [float("nan") if row[name] is None else row[name] for name in old.columns]
        for row in read_part(part)[1].values()
    ]
    rows = pd.DataFrame(lines, columns=old.columns)
    pd.testing.assert_frame_equal(rows, old, check_dtype=False)
    (tmp_path / "old" / "seeds.csv").unlink()
    with opened(tmp_path / "old") as results:
        pd.testing.assert_frame_equal(results.rows()[list(old.columns)], old)


def test_lines_that_0_2_0_kept_count_and_not_an_edited_table(tmp_path, capsys):
    path = tmp_path / "run"
    shutil.copytree(DATA.parent / "0.2.0" / "run", path)
    text = (path / "seeds.csv").read_text()
    (path / "seeds.csv").write_text(text.replace("CartPole-v0,0.001", "CartPole-v0,0.002", 1))
    with opened(path) as results:
        assert results.rows()["lr"].tolist() == [0.001] * 3
    said = capsys.readouterr().err
    assert "the line of trial 0 seed 0 must be as it was written, is not; restored" in said
    (aside,) = path.glob("seeds.csv.damaged-*")
    assert "0.002" in aside.read_text()
