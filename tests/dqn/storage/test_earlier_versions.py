"""Results of earlier versions: opened, compared, reported and resumed by every later one.

`tests/data` has a run, a grid and a raced study of each. Nothing of what is there is trained again
or changes.
"""

import csv
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from commands import here
from earlier import DATA, seeds_lines
from reports import _blank_figures  # noqa: F401

from dqn.runtime.errors import UserError
from dqn.runtime.version import VERSION
from dqn.storage.format_version import FORMAT
from dqn.storage.reader import read
from sweeps.__main__ import main

SHORT = ["episodes=12", "test_episodes=2", "workers=0"]
RUN = [*SHORT, "seeds=3"]
GRID = ["-m", *SHORT, "seeds=2", "lr=1e-3,1e-2", "env.max_episode_steps=100,200"]
STUDY = [
    "-m", "hydra/sweeper=optuna", *SHORT, "seeds=3", "hydra.sweeper.racing=[2,3]",
    "hydra.sweeper.n_trials=6", "lr=tag(log,interval(1e-4,1e-2))", "hidden=choice([32],[64,64])",
]  # fmt: skip
KINDS = {"run": RUN, "grid": GRID, "study": STUDY}


@pytest.fixture
def old(tmp_path):
    shutil.copytree(DATA, tmp_path / "old")
    return tmp_path / "old"


def command(folder: Path, *more: str) -> int:
    """The command that made the folder, with other values for some of its keys."""
    words = {word.partition("=")[0]: word for word in (*KINDS[folder.name], *more)}
    key = "hydra.run.dir" if folder.name == "run" else "hydra.sweep.dir"
    return here(*words.values(), f"{key}={folder}")


def rows(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of seeds.csv by trial and seed, their cells by column."""
    with (folder / "seeds.csv").open(newline="") as file:
        return {(row["trial"], row["seed"]): row for row in csv.DictReader(file)}


def episodes(folder: Path) -> pd.DataFrame:
    frame = pd.read_parquet(folder / "episodes.parquet")
    return frame.sort_values(["trial", "seed", "episode"], ignore_index=True)


def is_kept(old: Path, kind: str, data: Path = DATA) -> None:
    """Every cell and every episode that an earlier version wrote is here as it was."""
    before, after = rows(data / kind), rows(old / kind)
    assert before.keys() <= after.keys()
    for key, row in before.items():
        assert {name: after[key].get(name) for name in row} == row
    kept = episodes(old / kind)
    own = {(int(trial), int(seed)) for trial, seed in before}
    kept = kept[[pair in own for pair in zip(kept["trial"], kept["seed"], strict=True)]]
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), episodes(data / kind))


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_command_trains_nothing_and_says_which_version_writes_now(
    tmp_path, kind, version, capfd
):
    data, old = DATA.parent / version, tmp_path / version
    shutil.copytree(data / kind, old / kind)
    assert command(old / kind) == 0
    text = capfd.readouterr()
    assert "nothing to do" in text.out
    assert text.err == "" or "starting" in text.err
    is_kept(old, kind, data)
    assert seeds_lines(old / kind, kind) == (data / kind / "seeds.csv").read_text().splitlines()
    assert {(row["optimizer"], row["network"]) for row in rows(old / kind).values()} == {
        ("adam", "mlp")
    }
    assert command(old / kind) == 0
    assert "seeds.csv" not in capfd.readouterr().err
    text = yaml.safe_load((old / kind / "format.yaml").read_text())
    assert text == {"format": FORMAT, "version": VERSION}


@pytest.mark.parametrize(
    ("kind", "more", "seeds"),
    [("run", "seeds=4", [(0, 3)]), ("grid", "seeds=3", [(trial, 2) for trial in range(4)])],
)
def test_more_seeds_are_added_to_what_is_there(old, kind, more, seeds):
    assert command(old / kind, more) == 0
    is_kept(old, kind)
    new = rows(old / kind).keys() - rows(DATA / kind).keys()
    assert new == {(f"{trial}", f"{seed}") for trial, seed in seeds}


def test_more_trials_are_added_to_a_study_and_its_validation_still_reads(old):
    assert command(old / "study", "hydra.sweeper.n_trials=8") == 0
    is_kept(old, "study")
    new = rows(old / "study").keys() - rows(DATA / "study").keys()
    assert {trial for trial, _ in new} == {"6", "7"}
    assert read(old / "study" / "validation").ranked()
    is_kept(old, "study/validation")


def test_all_of_them_are_compared_and_reported(old, capsys):
    folders = [str(old / kind) for kind in (*KINDS, "study/validation")]
    assert main(["compare", *folders, "--anyway"]) == 0
    assert "24.2" in capsys.readouterr().out
    for folder in folders[:3]:
        assert main(["report", folder]) == 0
        assert (Path(folder) / "report.html").stat().st_size > 10_000
        assert not (Path(folder) / "format.yaml").exists()  # reading writes no table


def without_key(folder: Path, *keys: str) -> None:
    """As if no version had known these keys yet: gone from config.yaml and seeds.csv."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config = {name: value for name, value in config.items() if name not in keys}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    frame = pd.read_csv(folder / "seeds.csv", dtype=str, keep_default_na=False)
    frame.drop(columns=list(keys)).to_csv(folder / "seeds.csv", index=False)


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_did_not_exist_have_their_defaults(old, kind, capfd):
    without_key(old / kind, "tau", "huber_delta", "double")
    assert main(["compare", str(old / kind)]) == 0
    assert command(old / kind) == 0
    text = capfd.readouterr()
    assert "nothing to do" in text.out
    assert "seeds.csv: must have a column tau, has none and 2 more like it; added, with" in text.err
    is_kept(old, kind)
    assert command(old / kind) == 0
    assert "seeds.csv" not in capfd.readouterr().err


def test_a_key_that_trials_differ_in_cannot_be_made_up(old, capfd):
    without_key(old / "grid", "lr")
    before = {path: path.read_bytes() for path in (old / "grid").rglob("*") if path.is_file()}
    assert command(old / "grid") == 1
    assert main(["compare", str(old / "grid")]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert sum("seeds.csv, line 1: the columns must be" in line for line in lines) == 2
    after = {path: path.read_bytes() for path in before}
    same = {path for path in before if after[path] == before[path]}
    assert {path.name for path in before.keys() - same} <= {
        "overrides.yaml", "config.yaml", "hydra.yaml", "multirun.yaml", ".lock"
    }  # fmt: skip
    is_kept(old, "study")


def test_a_grid_puts_in_what_its_trials_say(old, capfd):
    """As where an earlier version had no column for what a group set of the environment."""
    grid = old / "grid"
    whole = pd.read_csv(grid / "seeds.csv")
    whole.drop(columns="env.max_episode_steps").to_csv(grid / "seeds.csv", index=False)
    assert main(["compare", f"{grid}:0", f"{grid}:1"]) == 2
    assert "give the command that made it again" in capfd.readouterr().err
    assert command(grid) == 0
    assert "nothing to do" in capfd.readouterr().out
    after = pd.read_csv(grid / "seeds.csv")
    assert after["env.max_episode_steps"].tolist() == whole["env.max_episode_steps"].tolist()
    assert main(["compare", f"{grid}:0", f"{grid}:1"]) == 0


def test_a_study_of_which_it_is_not_known_what_its_trials_were_is_read_after_its_command():
    with pytest.raises(UserError, match=r"env\.kwargs\.sutton_barto_reward.*give the command"):
        read(DATA.parent / "0.1.0-plus")


def test_metrics_that_did_not_exist_follow_from_the_episodes(old):
    names = ["best_return", "solved_at", "collapse", "test_return", "seconds"]
    frame = pd.read_csv(old / "run" / "seeds.csv", dtype=str, keep_default_na=False)
    frame[frame.columns.drop(names)].to_csv(old / "run" / "seeds.csv", index=False)
    seen = read(old / "run").rows[0]
    assert command(old / "run") == 0
    tables = [path / "run" / "seeds.csv" for path in (old, DATA)]
    kept, whole = (pd.read_csv(table, dtype=str, keep_default_na=False) for table in tables)
    for name in ("mean_return", "best_return", "final_return", "collapse", "steps"):
        numbers = [row[name] for row in seen]
        assert [float(text) for text in kept[name]] == numbers
        assert [float(text) for text in whole[name]] == numbers
    assert set(kept["test_return"]) == {""}


def test_settings_of_a_study_that_did_not_exist_have_their_defaults(old, capfd):
    sweep = yaml.safe_load((old / "study" / "sweep.yaml").read_text())
    for name in ("aggregate", "rungs", "parallel", "pruner", "racing_keep"):
        del sweep[name]
    del sweep["sampler"]["constant_liar"]
    (old / "study" / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    assert command(old / "study") == 0
    assert main(["compare", str(old / "study")]) == 0
    capfd.readouterr()
    assert command(old / "study", "hydra.sweeper.racing_keep=0.5") == 2
    assert "racing_keep was 0.34 and is now 0.5" in capfd.readouterr().err
    is_kept(old, "study")


def test_a_newer_format_is_refused_by_everything_and_left_as_it_is(old, capfd):
    for kind in KINDS:
        text = f"format: {FORMAT + 1}\nversion: 9.1.0\n"
        (old / kind / "format.yaml").write_text(text)
        before = {path: path.read_bytes() for path in (old / kind).rglob("*") if path.is_file()}
        names = ["compare", "report", "export", "reproduce"] + ["validate"] * (kind != "run")
        for name in ["", *names]:
            which = ["--trial", "0", "--seed", "0"] if name == "reproduce" else []
            path = old / kind
            assert (main([name, f"{path}", *which]) if name else command(path)) == 2
            message = capfd.readouterr().err
            assert "written by version '9.1.0', this is version" in message
            assert message.count("\n") == 1
        after = {path: path.read_bytes() for path in (old / kind).rglob("*") if path.is_file()}
        assert after == before


@pytest.mark.parametrize("text", ["", "format: x", "[", "version: 1", "format: true"])
def test_a_format_that_cannot_be_read_is_refused_and_left_as_it_is(old, text, capfd):
    (old / "run" / "format.yaml").write_text(text)
    assert command(old / "run") == 2
    assert main(["compare", str(old / "run")]) == 2
    message = capfd.readouterr().err
    assert message.count("format.yaml: must ") == message.count("\n") == 2
    assert (old / "run" / "format.yaml").read_text() == text
