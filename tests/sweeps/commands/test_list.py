"""`python -m sweeps list`: what is in a folder, the newest first, from files that are small."""

import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from studies import record, sampled, write
from sweep_commands import plain, refusal
from trainings import CONFIG, filled, result

from dqn.config import Config, EnvConfig
from dqn.statistics.formatting import format_bytes, format_duration
from dqn.storage import reader
from dqn.storage.lock import Lock, is_held
from dqn.storage.results_dir import ResultsDir
from sweeps.__main__ import main

BASE = Config(seeds=3, episodes=30)
OLDER = Path(__file__).parents[2] / "data"


def listed(capsys, *arguments):
    status, said = plain(capsys, "list", *arguments)
    assert status == 0
    return said["folders"]


def touched(path, seconds):
    os.utime(path / "seeds.csv", (seconds, seconds))
    return path


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    return tmp_path / "outputs"


def test_without_results_one_line_says_how_to_make_some(outputs, capsys):
    line = "no results in outputs yet; to make some: python -m dqn.run name=a\n"
    for _ in range(2):
        assert main(["list"]) == 0
        assert capsys.readouterr() == (line, "")
        shutil.rmtree(outputs, ignore_errors=True)
    assert listed(capsys) == []


def test_runs_grids_and_studies_however_deep_the_newest_first(outputs, capsys):
    filled(outputs / "runs" / "a", result(seed=0), result(seed=1), result(seed=2))
    grid = {"kind": "grid", "seeds": 3, "params": {"lr": ["0.1", "0.2"]}}
    filled(outputs / "deep" / "er" / "g", result(0), sweep=grid, swept=("lr",))
    study = write(outputs / "sweeps" / "s", sampled(30, BASE), record(), base=BASE)
    touched(outputs / "runs" / "a", 3_000)
    touched(outputs / "deep" / "er" / "g", 1_000)
    touched(study, 2_000)
    (outputs / "sweeps" / ".hidden").mkdir()
    (outputs / "link").symlink_to(study)
    found = listed(capsys)
    shown = [tuple(row[key] for key in ("folder", "kind", "status", "over", "asked", "unit"))
             for row in found]  # fmt: skip
    assert shown == [
        ("outputs/runs/a", "run", "done", 3, 3, "seeds"),
        ("outputs/sweeps/s", "study", "done", 30, 30, "trials"),
        ("outputs/deep/er/g", "grid", "stopped", 0, 2, "trials"),
    ]
    assert found[0]["last_result"].startswith("1970-01-01T")
    assert {row["tasks"][0] for row in found} == {"CartPole-v0"}
    assert main(["list"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table[2:]] == [row[0] for row in shown]
    assert "stopped, 0 of 2 trials" in table[-1]
    assert [row["folder"] for row in listed(capsys, "outputs/deep", str(study))] == [
        str(study), "outputs/deep/er/g",
    ]  # fmt: skip


def test_the_best_is_the_first_of_trials_csv_with_its_interval_and_seeds(tmp_path, capsys):
    trials = [result(trial, seed, returns=[10.0 * trial + seed] * 12, config=CONFIG)
              for trial in range(3) for seed in range(3)]  # fmt: skip
    filled(tmp_path / "g", *trials, sweep={"kind": "grid"}, swept=("lr",))
    (row,) = listed(capsys, tmp_path)
    first = pd.read_csv(tmp_path / "g" / "trials.csv").iloc[0]
    (best,) = row["best"]
    assert (best["trial"], best["seeds"], best["metric"]) == (2, 3, "mean_return")
    names = ("value", "value_low", "value_high")
    columns = ("mean_return", "mean_return_low", "mean_return_high")
    assert [best[name] for name in names] == pytest.approx([first[name] for name in columns])
    files = [path for path in (tmp_path / "g").rglob("*") if path.is_file()]
    assert row["bytes"] == sum(path.stat().st_size for path in files)


def test_each_task_has_its_own_best(tmp_path, capsys):
    other = dataclasses.replace(CONFIG, env=EnvConfig(id="CartPole-v1", max_episode_steps=500))
    made = [result(0, 0, config=CONFIG), result(1, 0, config=other, returns=[300.0] * 12)]
    filled(tmp_path / "g", *made, sweep={"kind": "grid", "params": {"env": ["a", "b"]}},
           swept=("env",))  # fmt: skip
    (row,) = listed(capsys, tmp_path)
    assert row["tasks"] == ["CartPole-v0", "CartPole-v1"]
    assert [(best["task"], best["trial"]) for best in row["best"]] == [
        ("CartPole-v0", 0), ("CartPole-v1", 1)]  # fmt: skip


def test_what_is_written_to_runs_and_what_was_killed_is_stopped(tmp_path, capsys):
    with ResultsDir(tmp_path / "a", CONFIG) as folder:
        (row,) = listed(capsys, tmp_path)
        assert (row["status"], row["over"], row["best"], row["last_result"]) == (
            "running", 0, [], None)  # fmt: skip
        folder.add(result(seed=0))
        (row,) = listed(capsys, tmp_path)
        assert (row["status"], row["over"], row["asked"]) == ("running", 1, 3)
    (row,) = listed(capsys, tmp_path)
    assert (row["status"], row["over"]) == ("stopped", 1)
    (tmp_path / "a" / ".lock").write_text("4711")  # of a process that was killed
    assert not is_held(tmp_path / "a")
    Lock(tmp_path / "a").close()
    (tmp_path / "a" / "validation").mkdir()
    lock = Lock(tmp_path / "a" / "validation")
    assert listed(capsys, tmp_path)[0]["status"] == "validating"
    lock.close()


def storage(path, states):
    """A study.db as Optuna's, of which the table of trials matters."""
    with sqlite3.connect(path / "study.db") as connection:
        connection.execute("CREATE TABLE trials (number INTEGER, state VARCHAR(8))")
        connection.executemany("INSERT INTO trials VALUES (?, ?)", states.items())
    connection.close()


def test_a_sample_that_was_refused_is_over(tmp_path, capsys):
    folder = write(tmp_path / "a", sampled(28, BASE), record(), base=BASE)
    states = dict.fromkeys(range(28), "COMPLETE")
    assert listed(capsys, folder)[0]["status"] == "stopped"
    storage(folder, states | {28: "FAIL", 29: "RUNNING"})
    assert [listed(capsys, folder)[0][key] for key in ("status", "over")] == ["stopped", 29]
    (folder / "study.db").unlink()
    storage(folder, states | {28: "FAIL", 29: "FAIL"})
    assert [listed(capsys, folder)[0][key] for key in ("status", "over")] == ["done", 30]
    (folder / "study.db").write_bytes(b"no database")
    assert listed(capsys, folder)[0]["over"] == 28


def test_a_study_that_ended_early_as_nothing_was_new_is_done(tmp_path, capsys):
    folder = write(tmp_path / "a", sampled(4, BASE), record(), base=BASE)
    same = "".join(f"{n},0\n" for n in range(4, 23))
    (folder / "trials.csv").write_text(f"trial,same_as\n{same}")
    row = listed(capsys, folder)[0]
    assert (row["status"], row["over"], row["asked"]) == ("stopped", 23, 30)
    (folder / "trials.csv").write_text(f"trial,same_as\n{same}23,0\n")
    row = listed(capsys, folder)[0]
    assert (row["status"], row["over"], row["asked"]) == ("done", 24, 24)


def test_a_folder_that_cannot_be_read_is_a_row_that_says_why(tmp_path, capsys):
    for name in ("good", "newer", "damaged", "torn", "lost"):
        filled(tmp_path / name, result(seed=0), result(seed=1), result(seed=2))
    (tmp_path / "newer" / "format.yaml").write_text("format: 99\nversion: 9.9.9\n")
    (tmp_path / "damaged" / "config.yaml").write_text("lr: [\n")
    with (tmp_path / "torn" / "seeds.csv").open("a") as file:
        file.write("nonsense\n")
    (tmp_path / "lost" / "seeds.csv").unlink()
    rows = {Path(row["folder"]).name: row for row in listed(capsys, tmp_path)}
    assert rows["good"]["status"] == "done"
    parts = {"newer": "results of format 99, written by version", "damaged": "config.yaml",
             "torn": "seeds.csv, line 5", "lost": "seeds.csv"}  # fmt: skip
    for name, part in parts.items():
        assert rows[name]["status"] == "unreadable"
        assert part in rows[name]["problem"]
    assert main(["list", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert table.count("unreadable") == 4
    assert "written by version" in " ".join(table.split())


def test_a_folder_that_must_not_be_looked_into_is_a_row(tmp_path, monkeypatch, capsys):
    (tmp_path / "secret").mkdir()
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    (row,) = listed(capsys, tmp_path)
    assert (row["status"], row["problem"]) == ("unreadable", "Permission denied")


def test_folders_of_every_earlier_version_are_listed_and_no_episodes_read(monkeypatch, capsys):
    def read_episodes(*arguments):
        raise AssertionError("episodes were read")

    monkeypatch.setattr(reader, "read_episodes", read_episodes)
    found = listed(capsys, OLDER / "0.1.0", OLDER / "0.2.0")
    assert [row["status"] for row in found] == ["done"] * 6
    assert all(row["best"] for row in found)


def test_it_starts_without_what_is_slow(tmp_path):
    code = (
        "import sys; from sweeps.__main__ import main; main(['list', sys.argv[1]]);"
        "print(sorted({'tensorflow', 'optuna', 'plotly', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    write(tmp_path / "a", sampled(3, BASE), record(n_trials=5), base=BASE)
    words = [sys.executable, "-c", code, str(tmp_path)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=env)
    assert "stopped, 3 of 5 trials" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_folder_that_is_not_there_is_refused_in_a_line(tmp_path, capsys):
    status, text = refusal(capsys, "list", tmp_path / "nothing")
    assert status == 2
    assert "DIR must be a folder, got" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"),
     (172_799, "47 h"), (172_800, "2 d")],
)  # fmt: skip
def test_a_time_is_in_the_largest_unit_of_which_there_are_two(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345, "12.3 kB"), (999_499, "999 kB"),
     (999_500, "1 MB"), (1_034_000_000, "1.03 GB"), (4e15, "4000 TB")],
)  # fmt: skip
def test_a_size_has_three_figures(size, text):
    assert format_bytes(size) == text


def test_json_has_no_more_than_plain_values(tmp_path, capsys):
    filled(tmp_path / "a", result(seed=0, returns=[], status="diverged"))
    (row,) = listed(capsys, tmp_path)
    assert json.loads(json.dumps(row)) == row
    assert row["best"][0]["value"] is None
