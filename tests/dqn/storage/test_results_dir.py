import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from trainings import CONFIG, filled, pairs, result

from dqn.config import Config, EnvConfig
from dqn.runtime.errors import RunError, UserError
from dqn.statistics.metrics import METRICS
from dqn.storage import episodes
from dqn.storage.best_weights import Best
from dqn.storage.results_dir import ResultsDir

HYPERPARAMETERS = (  # noqa: SIM905
    "env lr gamma optimizer network hidden activation batch_size buffer_size "
    "learning_starts train_freq target_update tau epsilon_start epsilon_min epsilon_decay "
    "epsilon_schedule exploration_steps reward_scale double huber_delta grad_clip timeout_terminal "
    "budget_episodes budget_steps"
).split()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outputs" / "run"


def best_of(folder: ResultsDir) -> Best:
    best = folder.best()
    assert best is not None
    return best


def test_seeds_csv_has_the_columns_of_the_contract_and_what_was_trained(path):
    filled(path, result(seed=2, returns=[0.0] * 10 + [195.0] * 10), result(seed=0))
    lines = (path / "seeds.csv").read_text().splitlines()
    outcome = ["status", "steps", "episodes", *METRICS, "seconds"]
    assert lines[0].split(",") == ["trial", "seed", *HYPERPARAMETERS, *outcome]
    settings = (
        "CartPole-v0,0.001,0.99,adam,mlp,64x64,relu,32,5000,0,4,100,1.0,1.0,0.05,0.0005,exponential,"
        "5000,1.0,False,inf,inf,False,150,0"
    )
    assert lines[1].startswith(f"0,2,{settings},done,1950,20,97.5,195.0,195.0,197.0,20,0.0,")
    assert lines[2].startswith(f"0,0,{settings},done,60,3,20.0,20.0,20.0,195.0,,0.0,")
    assert [line.rpartition(",")[2] for line in lines] == ["seconds", "3.5", "1.5"]


def test_rows_are_what_pandas_reads(path):
    with ResultsDir(path, CONFIG) as folder:
        folder.add(result(seed=1))
        folder.add(result(seed=0, status="diverged", returns=(), test_returns=np.empty(0)))
        rows = folder.rows()
        pd.testing.assert_frame_equal(rows, pd.read_csv(path / "seeds.csv"))
        assert folder.finished() == {(0, 0), (0, 1)}
    with ResultsDir(path, CONFIG) as again:
        pd.testing.assert_frame_equal(again.rows(), rows)


def test_episodes_parquet_is_read_in_one_line_and_keeps_every_entry_with_its_episode(path):
    filled(path, result(trial=1, seed=2), result(trial=0, seed=1, returns=[7.0]))
    frame = pd.read_parquet(path / "episodes.parquet")
    assert ",".join(frame.columns) == "trial,seed,episode,step,return,length,epsilon,loss,q"
    expected = [
        [1, 2, 1, 10, 10.0, 10, 120.1, np.nan, 120.3],
        [1, 2, 2, 30, 20.0, 20, 121.1, 121.2, 121.3],
        [1, 2, 3, 60, 30.0, 30, 122.1, 122.2, 122.3],
        [0, 1, 1, 7, 7.0, 7, 10.1, np.nan, 10.3],
    ]
    np.testing.assert_allclose(frame.to_numpy(float), np.array(expected))


def test_a_new_folder_is_readable_before_any_seed_ended(path):
    with ResultsDir(path, CONFIG) as folder:
        assert folder.episodes().empty
        assert pd.read_parquet(path / "episodes.parquet").empty
        assert pd.read_csv(path / "seeds.csv").empty
        assert pd.read_csv(path / "trials.csv").empty


def test_parts_fill_one_after_the_other_across_openings(path, monkeypatch):
    monkeypatch.setattr(episodes, "PART_ROWS", 5)
    for seed in range(6):
        filled(path, result(seed=seed))
    parts = sorted((path / "episodes.parquet").iterdir())
    assert [len(pd.read_parquet(part)) for part in parts] == [6, 6, 6]
    frame = pd.read_parquet(path / "episodes.parquet")
    assert pairs(frame) == [(0, seed) for seed in range(6)]


def test_trials_csv_has_the_best_trial_first_with_its_interval(path):
    results = [
        result(trial, seed, returns=np.array([10.0, 20.0, 30.0]) + 100 * trial + seed)
        for trial in (0, 1)
        for seed in range(4)
    ]
    filled(path, *results)
    frame = pd.read_csv(path / "trials.csv")
    ends = [metric + end for metric in METRICS for end in ("", "_low", "_high")]
    assert list(frame.columns) == [
        "trial",
        *HYPERPARAMETERS,
        "status",
        "seeds_done",
        "same_as",
        *ends,
    ]
    assert frame["trial"].tolist() == [1, 0]
    assert frame["seeds_done"].tolist() == [4, 4]
    middle, low, high = (frame[f"mean_return{end}"].tolist() for end in ("", "_low", "_high"))
    assert middle == [121.5, 21.5]
    assert low[0] < 121.5 < high[0]
    assert low[1] < 21.5 < high[1]
    assert frame["solved_at"].tolist() == pytest.approx([np.nan, np.nan], nan_ok=True)


def test_trials_are_up_to_date_at_any_time_when_asked(path):
    with ResultsDir(path, CONFIG) as folder:
        for seed in range(3):
            folder.add(result(seed=seed))
            assert folder.trials()["seeds_done"].tolist() == [seed + 1]


def test_the_threshold_comes_from_gymnasium_where_the_configuration_has_none(path):
    config = Config(env=EnvConfig("CartPole-v1"))
    filled(path, result(returns=[475.0] * 10, config=config), config=config)
    assert pd.read_csv(path / "seeds.csv")["solved_at"].tolist() == [10]


def test_config_yaml_is_the_configuration_and_reads_back(path):
    filled(path)
    assert Config.from_mapping(yaml.safe_load((path / "config.yaml").read_text())) == CONFIG


def test_more_seeds_resume_and_the_configuration_says_so(path):
    filled(path, result())
    filled(path, config=dataclasses.replace(CONFIG, seeds=9))
    filled(path, config=dataclasses.replace(CONFIG, seeds=2))
    assert yaml.safe_load((path / "config.yaml").read_text())["seeds"] == 9


def test_another_configuration_is_refused_with_the_difference_and_the_remedy(path):
    filled(path, result())
    before = (path / "config.yaml").read_bytes()
    with pytest.raises(UserError) as refused:
        ResultsDir(
            path, dataclasses.replace(CONFIG, lr=0.5, hidden=(32,), env=EnvConfig("CartPole-v1"))
        )
    line = str(refused.value)
    assert "lr was 0.001 and is now 0.5" in line
    assert "env.id was CartPole-v0 and is now CartPole-v1" in line
    assert "name=NAME" in line
    assert "lr=0.001 hidden=[64,64]" in line
    assert "env.solved_return=195.0" in line
    assert "\n" not in line
    assert (path / "config.yaml").read_bytes() == before
    filled(path)  # nor is the folder left locked


@pytest.mark.parametrize("text", ["lr: [", "- 1\n", "lr: fast\n", "nonsense: 1\n"])
def test_a_damaged_config_yaml_is_refused_by_its_name(path, text):
    filled(path)
    (path / "config.yaml").write_text(text)
    with pytest.raises(RunError, match=r"config\.yaml: must be .*[^\n]$"):
        ResultsDir(path, CONFIG)
    assert (path / "config.yaml").read_text() == text


def test_a_seed_is_added_once(path):
    with ResultsDir(path, CONFIG) as folder:
        folder.add(result())
        with pytest.raises(RunError, match=r"trial 0 seed 0 is in seeds\.csv already"):
            folder.add(result())
        assert len(folder.rows()) == 1
        assert len(folder.episodes()) == 3


def test_trainings_that_end_together_are_written_as_if_one_after_the_other(path):
    results = [
        result(trial, seed, test_returns=np.array([float(test)]))
        for trial, seed, test in [(1, 0, 10), (0, 2, 7), (1, 1, 30), (1, 2, 20), (0, 1, 7)]
    ]
    results.append(result(0, 0, returns=(), test_returns=np.empty(0), weights=[]))
    one_by_one, together = path / "one", path / "together"
    filled(one_by_one, *results)
    with ResultsDir(together, CONFIG) as folder:
        folder.add(*results)
        assert [best.seed for trial in (0, 1) if (best := folder.best(trial))] == [2, 1]
        kept = sorted(file.name for file in together.glob(".weights-*"))
        assert kept == [".weights-0-2.npz", ".weights-1-1.npz"]
        folder.add(result(1, 3, test_returns=np.array([29.0])))  # not better than what is there
        assert sorted(file.name for file in together.glob(".weights-*")) == kept
        with pytest.raises(RunError, match="trial 5 seed 5 is in"):
            folder.add(result(5, 4), result(5, 5), result(5, 5))
        assert (5, 4) not in folder.finished()
    lines = (one_by_one / "seeds.csv").read_text()
    assert (together / "seeds.csv").read_text().startswith(lines)
    frames = [pd.read_parquet(one / "episodes.parquet") for one in (one_by_one, together)]
    pd.testing.assert_frame_equal(frames[0], frames[1].iloc[: len(frames[0])])


def test_one_process_at_a_time_may_write(path):
    with ResultsDir(path, CONFIG) as folder:
        with pytest.raises(UserError, match=f"process {os.getpid()} does; wait") as refused:
            ResultsDir(path, CONFIG)
        assert "\n" not in str(refused.value)
        folder.add(result())
    filled(path, result(seed=1))


def test_a_folder_that_cannot_be_made_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/nowhere/run")):
        with pytest.raises(UserError, match=r"must be writable, is not .*hydra\.run\.dir=FOLDER"):
            ResultsDir(path, CONFIG)


def test_the_weights_kept_are_those_of_the_best_seed_that_is_done(path):
    with ResultsDir(path, CONFIG) as folder:
        assert folder.best() is None
        for seed, test, status in [(0, 50, "diverged"), (1, 10, "done"), (2, 9, "done"),
                                   (3, 10, "done"), (4, 99, "pruned")]:  # fmt: skip
            folder.add(result(seed=seed, status=status, test_returns=np.array([float(test)])))
            assert best_of(folder).seed == {0: 0, 1: 1, 2: 1, 3: 1, 4: 1}[seed]
        folder.add(result(seed=5, returns=[60.0], test_returns=np.array([10.0])))  # a higher mean
        assert best_of(folder).seed == 5
    with ResultsDir(path, CONFIG) as folder:
        best = best_of(folder)
        assert (best.trial, best.seed) == (0, 5)
        for kept, given in zip(best.weights, result(seed=5, returns=[60.0]).weights, strict=True):
            np.testing.assert_array_equal(kept, given)
    assert len(list(path.glob(".weights-*"))) == 1
