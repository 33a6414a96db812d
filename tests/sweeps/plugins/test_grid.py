"""A grid's trials: whose rows are whose, however the command is written, and what is the same."""

import json
from pathlib import Path

import pandas as pd
import pytest
from commands import here
from hydra.core.override_parser.overrides_parser import OverridesParser
from sweep_commands import presets, table
from trainings import filled, result

from dqn.config import Config, EnvConfig
from dqn.runtime.errors import UserError
from dqn.storage.columns import differing_env
from dqn.storage.ranking import incomparable_settings, task_folders
from dqn.storage.results_dir import ResultsDir
from sweeps.__main__ import main
from sweeps.plugins.grid import in_order, meaning_by, same_params, trials_of, varied

SMALL = ["hidden=[8]", "batch_size=8", "episodes=4", "test_episodes=0", "workers=0"]


@pytest.fixture(scope="module")
def meaning():
    return meaning_by(OverridesParser.create())


def grid(folder, *words, small=SMALL):
    flags = [word for word in words if word.startswith("-")]
    return here(*flags, "-m", f"hydra.sweep.dir={folder}", *small, *words[len(flags) :])


def without_a_line(folder, begin):
    path = folder / "seeds.csv"
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(begin)]
    assert len(kept) < len(lines)
    path.write_text("".join(kept))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "g"
    assert grid(folder, "lr=1e-4,1e-2", "gamma=0.5,0.99", "seeds=2") == 0
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["gamma=0.5,0.99", "lr=1e-4,1e-2"],
        ["lr=0.0001,0.01", "gamma=.5,0.990"],
        ["gamma=0.99,0.5", "lr=1e-2,1E-4"],
        ["gamma=choice(0.5,0.99)", "lr=1e-4,1e-2"],
    ],
)
def test_a_row_belongs_to_its_configuration_however_the_grid_is_written(pairs, command, capfd):
    before = table(pairs)
    without_a_line(pairs, "1,1,")
    assert grid(pairs, *command, "seeds=2") == 0
    pd.testing.assert_frame_equal(table(pairs), before)
    assert (before.lr[before.trial == 1] == 1e-4).all()
    assert (before.gamma[before.trial == 1] == 0.99).all()


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["lr=1e-4,1e-3", "gamma=0.5,0.99"], "params.lr"),
        (["lr=1e-4,1e-2", "gamma=0.5,0.99", "train_freq=1,2"], "train_freq"),
        (["lr=1e-4,1e-2,1e-1", "gamma=0.5,0.99"], "params.lr"),
        (["lr=1e-4,1e-2", "gamma=0.5,0.99", "train_freq=2"], "train_freq was 4 and is now 2"),
    ],
)
def test_another_grid_is_refused_with_the_difference(pairs, command, shown, capfd):
    before = (pairs / "seeds.csv").read_bytes()
    assert grid(pairs, *command, "seeds=2") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert shown in line
    assert (pairs / "seeds.csv").read_bytes() == before


def test_a_grid_takes_more_seeds_and_trains_these_alone(tmp_path, capfd):
    folder = tmp_path / "g"
    assert grid(folder, "lr=1e-3,1e-2", "seeds=1") == 0
    before = table(folder)
    assert grid(folder, "lr=1e-2,1e-3", "seeds=2") == 0
    after = table(folder)
    pd.testing.assert_frame_equal(after[after.seed == 0].reset_index(drop=True), before)
    assert len(after) == 4
    assert "2 trainings" in capfd.readouterr().out


def test_points_follow_the_recorded_order_and_meaning(meaning):
    jobs = [["b=x", "lr=1e-2"], ["b=y", "lr=1e-2"], ["b=x", "lr=0.001"], ["b=y", "lr=0.001"]]
    recorded = {"lr": ["1e-3", "0.01"], "b": ["x", "y"]}
    assert same_params(meaning, recorded, varied(jobs))
    assert in_order(jobs, recorded, meaning) == [jobs[2], jobs[3], jobs[0], jobs[1]]


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("lr", "1e-4", "0.0001"),
        ("train_freq", "4", "4.0"),
        ("hidden", "[64,64]", "[ 64, 64 ]"),
        ("double", "true", "True"),
        ("huber_delta", "inf", "INF"),
        ("env.kwargs.a", "{b:1,c:2}", "{c:2,b:1.0}"),
        ("env.kwargs.a", "'x'", "x"),
        ("preset", "scaled", "'scaled'"),
    ],
)
def test_two_ways_to_write_a_value_mean_the_same(meaning, name, one, other):
    assert meaning(name, one) == meaning(name, other)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("lr", "1e-4", "1e-3"),
        ("env.kwargs.a", "1", "'1'"),
        ("env.kwargs.a", "true", "1"),
        ("hidden", "[64,32]", "[32,64]"),
    ],
)
def test_two_values_do_not(meaning, name, one, other):
    assert meaning(name, one) != meaning(name, other)


def test_of_a_key_that_a_job_sets_twice_the_last_value_counts(meaning):
    jobs = [["a=1", "b=1", "++a=2"], ["a=1", "b=2", "++a=2"]]
    assert varied(jobs) == {"b": ["1", "2"]}
    assert len(in_order(jobs, varied(jobs), meaning)) == 2
    assert len(in_order([["a=1", "++a=2"]], {}, meaning)) == 1


def test_of_two_jobs_with_one_configuration_the_first_has_the_seeds(meaning):
    jobs = [["a=1", "b=1"], ["a=1", "b=2"], ["a=2", "b=1"], ["a=2", "b=2"]]
    made = {1: Config(lr=0.1), 2: Config(lr=0.2)}

    def config(job):
        return made[max(int(text[-1]) for text in job)]

    trials = trials_of(in_order(jobs, varied(jobs), meaning), config, (0, 1))
    assert [(trial.number, trial.seeds, trial.same_as) for trial in trials] == [
        (0, (0, 1), None), (1, (0, 1), None), (2, (), 1), (3, (), 1),
    ]  # fmt: skip


def test_a_configuration_that_a_grid_has_twice_is_trained_once(tmp_path, capfd):
    folder = tmp_path / "g"
    command = ["preset=exercise,scaled", "reward_scale=1.0,0.01", "seeds=1"]
    for _ in range(2):  # the second time nothing is left, and the tables say the same
        assert grid(folder, *command) == 0
        out = capfd.readouterr().out
        assert "2 trials had a configuration that was trained already" in out
        assert table(folder).trial.tolist() == [0, 1]
        trials = pd.read_csv(folder / "trials.csv")
        assert dict(trials.dropna(subset="same_as")[["trial", "same_as"]].to_numpy()) == {
            2: 0,
            3: 1,
        }
        same = trials.set_index("trial").mean_return
        assert (same[2], same[3]) == (same[0], same[1])
    assert "all trials are already trained" in out
    assert main(["compare", f"{folder}:3", f"{folder}:1"]) == 0
    out = capfd.readouterr().out
    assert "all have the same configuration" in out
    assert f"{folder}:3 has the configuration of trial 1, and its rows" in out
    assert main(["report", str(folder), "--json"]) == 0
    text = json.loads(capfd.readouterr().out)
    assert (text["trials"], text["expected"]) == (4, 4)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks") / "t"
    assert grid(folder, "env=cartpole,acrobot", "lr=1e-3,1e-2", "seeds=2") == 0
    return folder


def test_tasks_are_ranked_apart(tasks):
    trials = pd.read_csv(tasks / "trials.csv")
    assert list(dict.fromkeys(trials.env)) == ["CartPole-v0", "Acrobot-v1"]
    for _, own in trials.groupby("env"):
        assert own.mean_return.is_monotonic_decreasing
    best = {path.name for path in (tasks / "best").iterdir()}
    assert best == {"CartPole-v0", "Acrobot-v1"}
    for task in best:
        assert f"id: {task}" in (tasks / "best" / task / "config.yaml").read_text()
        for name in ("model.keras", "episode.gif", "figures/returns.png"):
            assert (tasks / "best" / task / name).exists(), (task, name)


def test_the_table_of_each_task_stands_by_itself(tasks, capfd):
    assert grid(tasks, "env=acrobot,cartpole", "lr=1e-3,1e-2", "seeds=2") == 0
    out = capfd.readouterr().out
    assert out.index("CartPole-v0\n") < out.index("Acrobot-v1\n")
    assert out.count(" 1 ") >= 2  # a first of each
    assert "best/CartPole-v0 is trial" in out
    assert "best/Acrobot-v1 is trial" in out


def test_a_sweep_over_tasks_is_compared_by_its_trials(tasks, capfd):
    assert main(["compare", str(tasks)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "CartPole-v0, Acrobot-v1" in line
    assert f"{tasks}:0" in line
    assert main(["compare", f"{tasks}:0", f"{tasks}:1"]) == 0


def test_its_report_has_a_part_for_each_task(tasks, capfd):
    assert main(["report", str(tasks), "--json"]) == 0
    text = json.loads(capfd.readouterr().out)
    assert list(text["tasks"]) == ["CartPole-v0", "Acrobot-v1"]
    page = (tasks / "report.html").read_text()
    assert page.count("· CartPole-v0</h2>") == page.count("· Acrobot-v1</h2>") > 3
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids))
    for figure in text["figures"]:
        assert Path(figure).exists()


def test_what_a_preset_sets_of_the_environment_is_on_record(tmp_path, capfd):
    texts = {
        n: f"env:\n  kwargs: {{sutton_barto_reward: {v}}}"
        for n, v in (("a", "true"), ("b", "false"))
    }
    folder, flag = tmp_path / "g", presets(tmp_path, **texts)
    assert grid(folder, flag, "env=cartpole_v1", "preset=a,b", "seeds=1") == 0
    out = capfd.readouterr().out
    assert "trials differ in env.kwargs.sutton_barto_reward: their returns may not compare" in out
    assert table(folder)["env.kwargs.sutton_barto_reward"].tolist() == [True, False]
    for trial in (0, 1):
        assert main(["reproduce", str(folder), "--trial", str(trial), "--seed", "0"]) == 0
        assert "bit-identical" in capfd.readouterr().out
    best = (folder / "best" / "config.yaml").read_text()
    assert "sutton_barto_reward: false" in best  # a reward of 1 a step


def test_a_swept_setting_of_the_environment_has_a_column_and_a_warning(tmp_path, capfd):
    folder = tmp_path / "g"
    swept = "+env.kwargs.sutton_barto_reward=true,false"
    assert grid(folder, "env=cartpole_v1", swept, "seeds=1") == 0
    out = capfd.readouterr().out
    assert "trials differ in env.kwargs.sutton_barto_reward: their returns may not compare" in out
    assert table(folder)["env.kwargs.sutton_barto_reward"].tolist() == [True, False]
    assert grid(folder, "env=cartpole_v1", swept.replace("+", "++"), "seeds=1") == 0
    assert "nothing to do" in capfd.readouterr().out


@pytest.mark.parametrize("key", ["seeds: 2", "first_seed: 5", "test_episodes: 3", "workers: 0"])
def test_what_must_be_one_for_all_trials_is_refused_in_a_group_that_is_swept(tmp_path, key, capfd):
    small = [text for text in SMALL if not text.startswith(("test_episodes", "workers"))]
    folder, flag = tmp_path / "g", presets(tmp_path, a=key)
    assert grid(folder, flag, "preset=exercise,a", small=small) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"{key.partition(':')[0]} must be the same for all trials")
    assert not (folder / "seeds.csv").exists()


def test_rows_of_another_configuration_are_not_added_to(tmp_path):
    filled(tmp_path, result(0, 0))
    with ResultsDir(tmp_path, Config(seeds=3)) as folder:
        folder.refuse_other(0, Config())
        with pytest.raises(UserError, match=r"trial 0 must have lr=0\.5"):
            folder.refuse_other(0, Config(lr=0.5))


def test_columns_of_the_environment_are_those_in_which_configurations_differ():
    def config(**env):
        return Config(env=EnvConfig("CartPole-v1", **env))

    assert differing_env([config(), config()]) == ()
    assert differing_env([config(), config(kwargs={"a": 1})]) == ("env.kwargs.a",)
    lists = config(kwargs={"a": {"b": list(range(40))}}), config(kwargs={"a": {"b": [1] * 40}})
    assert differing_env(lists) == ("env.kwargs.a.b",)
    assert differing_env([config(), config(max_episode_steps=5)]) == ("env.max_episode_steps",)


def test_trials_that_differ_in_the_threshold_alone_compare():
    assert incomparable_settings([{"env.solved_return": 1.0}, {"env.solved_return": 2.0}]) == ""
    assert (
        incomparable_settings([{"env.kwargs": {"a": 1, "b": 2}}, {"env.kwargs": {"b": 2, "a": 1}}])
        == ""
    )
    assert "env.kwargs.g" in incomparable_settings([{"env.kwargs.g": 1}, {"env.kwargs.g": 2}])


def test_each_task_has_a_folder_of_its_own_that_every_file_system_takes():
    tasks = ["CartPole-v0", "ALE/Pong-v5", "mine:My-v0", "..", "other:my-v0", "ALE_Pong-v5"]
    assert list(task_folders(tasks).values()) == [
        "CartPole-v0", "ALE_Pong-v5", "My-v0", "task", "my-v0-2", "ALE_Pong-v5-2",
    ]  # fmt: skip


def test_a_preset_that_was_changed_since_is_refused_with_the_difference(tmp_path, capfd):
    swept = "env=cartpole_v1", "preset=a,b"
    folder, flag = (
        tmp_path / "g",
        presets(tmp_path, a="{}", b="env:\n  kwargs: {sutton_barto_reward: true}"),
    )
    assert grid(folder, flag, *swept, "seeds=1") == 0
    before = (folder / "seeds.csv").read_bytes()
    presets(tmp_path, b="gamma: 0.5")
    capfd.readouterr()
    assert grid(folder, flag, *swept, "seeds=2") == 2
    assert "trial 1 must have env.kwargs.sutton_barto_reward" in capfd.readouterr().err
    assert (folder / "seeds.csv").read_bytes() == before


def test_a_grid_that_is_nothing_without_its_values_resumes_in_any_order(tmp_path, capfd):
    folder = tmp_path / "g"
    tasks = ["env=gymnasium", "seeds=1"]
    assert grid(folder, *tasks, "env.id=CartPole-v1,CartPole-v0") == 0
    before = table(folder)
    assert grid(folder, *tasks, "env.id=CartPole-v0,CartPole-v1") == 0
    assert "nothing to do" in capfd.readouterr().out
    pd.testing.assert_frame_equal(table(folder), before)


def test_a_value_that_is_another_keys_may_be_swept(tmp_path):
    folder = tmp_path / "g"
    assert grid(folder, "lr=${gamma},1e-3", "gamma=0.5", "seeds=1") == 0
    assert table(folder).lr.tolist() == [0.5, 0.001]


def test_a_row_that_was_trained_over_ray_is_reproduced_without_it(pairs, capfd):
    config = pairs / "config.yaml"
    text = config.read_text()
    ray = text.replace("fleet: processes", "fleet: ray").replace("workers: 0", "workers: auto")
    config.write_text(ray)
    try:
        assert main(["reproduce", str(pairs), "--trial", "1", "--seed", "0"]) == 0
    finally:
        config.write_text(text)
    assert "bit-identical" in capfd.readouterr().out


def test_a_mapping_whose_keys_are_no_words_is_a_column_as_a_whole():
    def config(**kwargs):
        return Config(env=EnvConfig("CartPole-v1", kwargs=kwargs))

    assert differing_env([config(map={0: 1}), config(map={0: 2})]) == ("env.kwargs.map",)
    assert differing_env([config(**{"a.b": 1}), config(**{"a.b": 2})]) == ("env.kwargs",)
