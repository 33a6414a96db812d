"""`python -m sweeps forget`: the same command trains it again, to the same bits."""

import json
import shutil

import pandas as pd
import pytest
from commands import here
from trainings import CONFIG, pairs, result

from dqn.storage.results_dir import ResultsDir
from sweeps.__main__ import main

SHORT = ["episodes=6", "test_episodes=1", "workers=0", "seeds=2", "hidden=[8]"]
COMMANDS = {
    "run": [*SHORT],
    "grid": ["-m", *SHORT, "lr=1e-3,1e-2"],
    "study": ["-m", *SHORT, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2",
              "hydra.sweeper.aggregate=mean", "lr=interval(1e-4,1e-2)"],
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("forget")
    for kind in COMMANDS:
        assert command(path / kind) == 0
    return path


def command(folder):
    key = "hydra.run.dir" if folder.name == "run" else "hydra.sweep.dir"
    return here(*COMMANDS[folder.name], f"{key}={folder}")


def tables(folder):
    seeds = pd.read_csv(folder / "seeds.csv").drop(columns="seconds")
    episodes = pd.read_parquet(folder / "episodes.parquet")
    return seeds, episodes.sort_values(["trial", "seed", "episode"], ignore_index=True)


@pytest.mark.parametrize("kind", COMMANDS)
def test_what_is_forgotten_is_trained_again_to_the_same_bits(made, tmp_path, kind, capsys):
    folder = tmp_path / kind
    shutil.copytree(made / kind, folder)
    before, trial = tables(folder), kind != "run"
    which = ["--trial", "1"] if trial else []
    assert main(["forget", str(folder), *which, "--seed", "1"]) == 0
    assert f"1 training of trial {int(trial)} forgotten" in capsys.readouterr().out
    for frame in (pd.read_csv(folder / "seeds.csv"), pd.read_parquet(folder / "episodes.parquet")):
        assert (int(trial), 1) not in pairs(frame)
        assert (0, 0) in pairs(frame)
    done = pd.read_csv(folder / "trials.csv").set_index("trial")["seeds_done"]
    assert done[int(trial)] == 1
    assert command(folder) == 0
    assert "is back" not in capsys.readouterr().err
    for was, now in zip(before, tables(folder), strict=True):
        pd.testing.assert_frame_equal(now, was)
    assert (folder / "trials.csv").read_text() == (made / kind / "trials.csv").read_text()


def test_all_seeds_of_a_trial_may_be_forgotten_and_the_others_keep_their_order(
    made, tmp_path, capsys
):
    folder = tmp_path / "study"
    shutil.copytree(made / "study", folder)
    assert main(["forget", str(folder), "--trial", "1", "--seed", "0", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"folder": str(folder), "trial": 1, "seeds": [0, 1]}
    assert pd.read_csv(folder / "trials.csv")["trial"].tolist() == [0]
    assert command(folder) == 0
    pd.testing.assert_frame_equal(tables(folder)[0], tables(made / "study")[0])


def test_the_best_network_goes_with_its_training(tmp_path):
    with ResultsDir(tmp_path, CONFIG) as folder:
        folder.add(result(seed=0), result(seed=1))
        assert folder.best().seed == 1
        folder.forget([(0, 1)])
        assert folder.best() is None
        with pytest.raises(KeyError):
            folder.forget([(0, 1)])
        assert list(folder.best_trials().values()) == [0]
    assert not list(tmp_path.glob(".weights-*"))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--seed", "7"], "trial 0 must have a row of seed 7 in seeds.csv, has none"),
        (["--trial", "9", "--seed", "0"], "trial 9 must have a row of seed 0"),
        ([], "--seed"),
        (["--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(made, words, complaint, capsys):
    before = (made / "grid" / "seeds.csv").read_bytes()
    assert main(["forget", str(made / "grid"), *words]) == 2
    text = capsys.readouterr().err
    assert complaint in text
    assert text.count("\n") == 1
    assert (made / "grid" / "seeds.csv").read_bytes() == before


def test_a_folder_that_is_written_to_is_refused(tmp_path, capsys):
    with ResultsDir(tmp_path, CONFIG) as folder:
        folder.add(result())
        assert main(["forget", str(tmp_path), "--seed", "0"]) == 2
        assert "one run at a time may write here" in capsys.readouterr().err
        assert folder.finished() == {(0, 0)}
