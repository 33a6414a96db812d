"""`--dry-run`: all is checked and counted, nothing is trained or written."""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from command_line import assert_refused
from commands import here
from trainings import filled, result

from dqn.config import Config
from dqn.envs import gymnasium_env
from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import UserError
from dqn.storage import machines
from dqn.storage.past_trainings import folders_near, past_trainings
from dqn.storage.results_dir import ResultsDir
from dqn.trained.dry_run import Plan as DryPlan
from dqn.trained.dry_run import _Estimate, block_bytes, is_dry_run, most_steps, show_run
from dqn.training.jobs import LANES

SHORT = ["episodes=6", "test_episodes=1", "workers=0", "seeds=2", "hidden=[8]"]
STUDY = ["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=8", "seeds=10",
         "lr=interval(1e-4,1e-2)"]  # fmt: skip


@pytest.fixture
def dry(tmp_path, monkeypatch, capfd):
    """What a dry run prints, in an empty folder that stays as it is."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        before = everything(tmp_path)
        assert here(*arguments) == 0
        assert not is_dry_run()
        assert everything(tmp_path) == before
        return capfd.readouterr().out

    return run


def everything(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def line_of(text, name):
    return re.search(rf"^  {name} +(.*)$", text, re.M)[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dry-run", "lr=0.0005", "seeds=3", "name=a"],
        ["lr=0.0005", "--dry-run", "seeds=3", "name=a"],
        ["lr=0.0005", "seeds=3", "name=a", "--dry-run"],
    ],
)
def test_a_run_wherever_the_flag_stands(dry, arguments):
    text = dry(*arguments)
    assert "a run of 3 seeds, into outputs/runs/a\n" in text
    assert line_of(text, "trainings") == "3"
    assert line_of(text, "steps") == "at most 90,000"  # 3 x 150 episodes of 200 steps
    assert line_of(text, "time").startswith("not known: no training in this environment")
    assert "\n  lr: 0.0005\n" in text
    assert text.startswith("dry run: nothing is trained, nothing is written\n")


def test_a_grid(dry):
    text = dry("-m", "lr=1e-4,1e-3,1e-2", "--dry-run", "gamma=0.95,0.99", "name=g", "seeds=2")
    assert "a grid of 6 trials of 2 seeds, into outputs/sweeps/g\n" in text
    assert line_of(text, "trainings") == "12"
    assert "varied\n  lr: 0.0001, 0.001, 0.01\n  gamma: 0.95, 0.99\n" in text
    text = dry("--dry-run", "-m", "preset=exercise,scaled", "reward_scale=0.01", "seeds=2")
    assert line_of(text, "trainings") == "2"
    assert line_of(text, "note") == "1 trial of a configuration that is there already"


def test_a_study_with_what_its_race_leaves_and_its_validation(dry):
    text = dry(*STUDY, "name=s", "--dry-run")
    assert "a study of 8 trials of 10 seeds, into outputs/sweeps/s\n" in text
    assert line_of(text, "trainings") == "80"
    assert "varied\n  lr: interval(0.0001,0.01)\n" in text
    raced = [*STUDY, "hydra.sweeper.racing=[2,10]", "hydra.sweeper.racing_keep=0.5"]
    text = dry(*raced, "hydra.sweeper.validate={top:3,seeds:20}", "--dry-run")
    assert "of 2 to 10 seeds, and a validation of 80 trainings" in text
    # 8 x 2, half of 8 x 8 more, and 3 trials beside the exercise on 20 seeds.
    assert line_of(text, "trainings") == "160 at most; about 128"
    assert line_of(text, "steps") == "at most 4,800,000"
    text = dry(*STUDY, "hydra/sweeper/pruner=median", "hydra.sweeper.timeout=60", "--dry-run")
    assert "stops early is counted as a whole" in text
    assert "one command stops after 60 s" in text


def test_a_table_of_points_has_no_more_trials_than_points(dry):
    text = dry("sweep=influence", "seeds=1", "--dry-run")
    assert line_of(text, "trainings") == "39"
    assert "a study of 39 trials of 1 seed," in text


def test_a_storage_is_not_made(dry, tmp_path):
    text = dry(*STUDY, f"hydra.sweeper.storage=sqlite:///{tmp_path}/own.db", "--dry-run")
    assert "hydra.sweeper.storage is not opened" in text


def test_what_is_missing_in_the_folder_is_counted(dry, tmp_path):
    config = Config(seeds=5, name="a")
    path = tmp_path / "outputs" / "runs" / "a"
    filled(path, result(seed=0), result(seed=3), config=config)
    assert line_of(dry("name=a", "--dry-run"), "trainings") == "5, 2 are there, 3 are missing"
    assert line_of(dry("name=a", "seeds=2", "--dry-run"), "trainings").startswith("2, 1 are there")
    assert "nothing to do" in dry("name=a", "seeds=1", "--dry-run")
    base = Config(seeds=2)
    grid = {"kind": "grid", "seeds": 2, "params": {"lr": ["0.001", "0.01"]}}
    own = [dataclasses.replace(base, lr=lr) for lr in (0.001, 0.01)]
    filled(
        tmp_path / "outputs" / "sweeps" / "g", result(0, 0, config=own[0]),
        result(0, 1, config=own[0]), result(1, 0, config=own[1], status="failed", returns=[]),
        config=base, sweep=grid, swept=("lr",),
    )  # fmt: skip
    text = dry("-m", "lr=0.001,0.01", "seeds=2", "name=g", "--dry-run")
    assert line_of(text, "trainings") == "4, 2 are there, 2 are missing"


def test_what_is_missing_of_a_study_is_counted(dry, tmp_path):
    words = [*STUDY, "hydra.sweeper.n_trials=3", "name=s", *SHORT]
    assert here(*words) == 0
    assert "6, all of them are there; nothing to do" in dry(*words, "--dry-run")
    more = [word.replace("n_trials=8", "n_trials=5") for word in words if "n_trials=3" not in word]
    text = dry(*more, "--dry-run")
    assert line_of(text, "trainings") == "10, 6 are there, 4 are missing"


def test_a_folder_that_holds_something_else_is_refused_as_it_would_be(dry, tmp_path, capfd):
    path = tmp_path / "outputs" / "runs" / "a"
    filled(path, result(seed=0), config=Config(seeds=5))
    before = everything(tmp_path)
    assert here("name=a", "lr=0.1", "--dry-run") == 2
    assert "lr was 0.001 and is now 0.1" in capfd.readouterr().err
    assert here("-m", "lr=0.1,0.2", f"hydra.sweep.dir={path}", "--dry-run") == 2
    assert "must hold a sweep, holds a run" in capfd.readouterr().err
    assert here(*STUDY, f"hydra.sweep.dir={path}", "--dry-run") == 2
    assert "must hold a sweep, holds a run" in capfd.readouterr().err
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("lrr=1", "lrr ; (in lrr=1); did you mean lr?"),
        ("lr=-1", "lr ; > 0; got -1; lr=0.001"),
        ("hydra.run.dir=/proc/x", "hydra.run.dir ; got /proc/x; hydra.run.dir=PATH"),
        ("env=gymnasium env.id=CartPol-v1", "env.id ; CartPol-v1; CartPole-v1"),
        ("-m lr=0.1,-1", "lr ; > 0; got -1; (job 1: lr=-1)"),
        (f"{' '.join(STUDY)} hydra.sweeper.racing=[2,4]", "hydra.sweeper.racing ; seeds=4"),
        (f"{' '.join(STUDY)} hydra.sweeper.timeout=2h", "hydra.sweeper.timeout ; got '2h'"),
    ],
)
def test_what_is_refused_is_refused_by_a_dry_run(line, tmp_path, typed, parts):
    assert_refused(line, tmp_path, f"{typed} --dry-run", parts)


def past(path, *, env="CartPole-v0", seconds=2.0, **changes):
    """A folder of 20 trainings of 12 episodes of 50 steps."""
    config = Config(seeds=20, episodes=12, **changes)
    config = dataclasses.replace(config, env=dataclasses.replace(config.env, id=env))
    own = [
        result(seed=seed, returns=[50.0] * 12, config=config, seconds=seconds) for seed in range(20)
    ]
    with ResultsDir(path, config) as folder:
        folder.add(*own)
    return path


def estimate(config, missing, workers, folder):
    plan = DryPlan("a run", folder / "new", config, missing, missing, [(config, missing)], [config])
    return _Estimate(plan, workers, missing)


def test_time_follows_from_what_a_worker_did_and_how_many_lanes_it_had(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    machines.record_speed(past(tmp_path / "outputs" / "a"), 12_000, 10.0, 80.0)
    config = Config(seeds=5, episodes=150)
    full = estimate(config, 320, 4, tmp_path)
    assert full.steps == 320 * 150 * 50
    # 8 lanes did 1,200 steps/s; a full block, of 16, does twice as many.
    assert full.seconds == pytest.approx(full.steps / (4 * 2 * 1_200))
    assert full.most == 320 * 150 * 200
    few = estimate(config, 4, 0, tmp_path)  # as many seconds, however few lanes are at work
    assert few.seconds == pytest.approx(150 * 50 / (1_200 / 8))
    bound = estimate(dataclasses.replace(config, steps=1_000), 4, 0, tmp_path)
    assert (bound.steps, bound.most) == (4_000, 4_000)
    assert "in outputs/a, " in few.source_text()
    assert "20 trainings, 1,200 steps/s on a worker" in few.source_text()


def test_without_a_speed_on_record_the_seconds_of_the_trainings_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    past(tmp_path / "outputs" / "a")
    found = past_trainings(folders_near(tmp_path / "new"), Config())
    assert found.is_whole
    assert (found.speed, found.lanes) == (12 * 50 / 2.0, 10.0)
    assert "compiling included" in estimate(Config(), 5, 0, tmp_path).time_text()


def test_the_newest_that_is_alike_counts_and_no_other_task_or_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "outputs"
    past(here / "old", lr=0.01)
    past(here / "wide", hidden=(256,))
    past(here / "other", env="CartPole-v1")
    far = past(here / "far")
    text = (far / "machine.yaml").read_text()
    processor = machines.read(far)[0]["processor"]
    (far / "machine.yaml").write_text(text.replace(processor, "Zuse Z3"))
    folders = folders_near(tmp_path / "new")
    assert {folder.name for folder in folders} == {"old", "wide", "other", "far"}
    found = past_trainings(folders, Config())
    assert (found.folder, found.is_alike) == (Path("outputs/old"), True)
    found = past_trainings(folders, Config(hidden=(64,)))
    assert (found.folder.name, found.is_alike) == ("wide", False)
    acrobot = dataclasses.replace(Config().env, id="Acrobot-v1")
    assert past_trainings(folders, Config(env=acrobot)) is None
    beside = past(tmp_path / "elsewhere" / "b")
    assert beside in folders_near(tmp_path / "elsewhere" / "new", tmp_path / "nothing")


def test_episodes_are_as_long_as_those_of_the_settings_most_alike(tmp_path):
    config = Config(seeds=3)
    fast = dataclasses.replace(config, lr=0.01)
    own = [result(0, 0, config=config), result(1, 0, config=fast, returns=[90.0] * 12)]
    grid = {"kind": "grid", "params": {"lr": ["0.001", "0.01"]}}
    filled(tmp_path / "g", *own, config=config, sweep=grid, swept=("lr",))
    folders = [tmp_path / "g"]
    assert past_trainings(folders, fast).steps_per_episode == 90.0
    assert past_trainings(folders, config).steps_per_episode == 20.0


def test_without_a_bound_nothing_is_promised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Config(episodes=0, steps=500)
    assert most_steps(config) == 500
    assert estimate(config, 2, 0, tmp_path).disk_text().startswith("not known, as the number")
    endless = dataclasses.replace(
        Config(), env=dataclasses.replace(Config().env, max_episode_steps=None)
    )
    assert most_steps(endless) > 0


@pytest.mark.parametrize("network", ["mlp", "dueling"])
@pytest.mark.parametrize("hidden", [(64, 64), (512,)])
def test_memory_is_counted_as_the_engine_does(network, hidden):
    from dqn.training.engine import _block_bytes

    config = Config(network=network, hidden=hidden)
    key = ProgramKey.of(config, gymnasium_env.describe(config.env), LANES)
    assert block_bytes(key) == pytest.approx(_block_bytes(key), rel=0.15)


def test_a_command_records_how_fast_it_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(machines, "_TIMED", 0.0)
    for name in ("warm", "a"):  # what compiles is not counted
        assert here(*SHORT, f"hydra.run.dir={tmp_path / name}") == 0
    steps = pd.read_csv(tmp_path / "a" / "seeds.csv")["steps"].sum()
    (entry,) = yaml.safe_load((tmp_path / "a" / "machine.yaml").read_text())
    assert entry["speed"]["steps"] == steps
    speed, lanes = machines.speed_in(tmp_path / "a")
    assert speed == pytest.approx(steps / entry["speed"]["worker_seconds"])
    assert 0 < lanes <= 2
    before = (tmp_path / "a" / "machine.yaml").read_bytes()
    assert here(*SHORT, f"hydra.run.dir={tmp_path / 'a'}") == 0
    assert (tmp_path / "a" / "machine.yaml").read_bytes() == before


@pytest.mark.parametrize("speed", [None, 3, {}, {"steps": 0, "worker_seconds": 1, "lanes": 1},
                                   {"steps": "x", "worker_seconds": 1, "lanes": 1}])  # fmt: skip
def test_a_speed_that_says_nothing_is_passed_over(tmp_path, speed):
    filled(tmp_path, result())
    (entry,) = machines.read(tmp_path)
    (tmp_path / "machine.yaml").write_text(machines.written([entry | {"speed": speed}]))
    assert machines.speed_in(tmp_path) is None


def test_a_folder_whose_tables_cannot_be_read_is_said(tmp_path, capsys):
    filled(tmp_path / "a", result(seed=0), config=Config(seeds=2))
    (tmp_path / "a" / "seeds.csv").write_text("nonsense\n")
    show_run(Config(seeds=2), tmp_path / "a")
    assert "what is there cannot be counted" in capsys.readouterr().out
    with pytest.raises(UserError):
        show_run(Config(seeds=2, lr=0.5), tmp_path / "a")


def test_a_folder_without_a_machine_on_record_tells_nothing(tmp_path):
    path = past(tmp_path / "a")
    assert past_trainings([path], Config()) is not None
    (path / "machine.yaml").unlink()
    assert past_trainings([path], Config()) is None
