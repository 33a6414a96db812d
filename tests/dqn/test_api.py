"""`dqn.train` and `dqn.load`: what the command line does, without a word on the streams."""

import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import gymnasium
import pandas as pd
import pytest
from commands import assert_silent, here, own_lines, python, wait_for_rows
from gymnasium.envs.classic_control import CartPoleEnv
from hydra.core.hydra_config import HydraConfig
from trainings import result

import dqn
import sweeps
from dqn import session
from dqn.config import Config
from dqn.runtime import limits
from dqn.runtime.errors import RunError, UserError
from dqn.storage.results_dir import ResultsDir

# Keras's
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SMALL = {"hidden": [8], "episodes": 5, "test_episodes": 2, "workers": 0}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(**keywords):
    return dqn.train(**{**SMALL, "seeds": 2, "progress": False, **keywords})


def test_it_trains_what_the_command_line_trains(capfd):
    run = train(lr=2e-3, preset="scaled", name="python")
    assert_silent(capfd.readouterr())
    words = ["lr=0.002", "preset=scaled", "hidden=[8]", "episodes=5", "test_episodes=2"]
    assert here(*words, "workers=0", "seeds=2", "name=shell") == 0
    assert run.path == Path("outputs/runs/python").absolute()
    other = dqn.load("outputs/runs/shell")
    pd.testing.assert_frame_equal(run.seeds.drop(columns="seconds"),
                                  other.seeds.drop(columns="seconds"))  # fmt: skip
    pd.testing.assert_frame_equal(run.episodes, other.episodes)
    ours, theirs = ({path.name for path in one.path.iterdir()} for one in (run, other))
    assert ours == theirs
    ours, theirs = ((one.path / ".hydra/overrides.yaml").read_text() for one in (run, other))
    assert sorted(ours.replace("python", "shell").splitlines()) == sorted(theirs.splitlines())


def test_the_same_call_trains_nothing_again_and_more_seeds_are_added():
    first = train(name="a").seeds
    again = train(name="a")
    pd.testing.assert_frame_equal(again.seeds, first)  # `seconds`, too
    more = train(name="a", seeds=3)
    assert more.seeds["seed"].tolist() == [0, 1, 2]
    pd.testing.assert_frame_equal(more.seeds[:2], first)
    with pytest.raises(UserError, match=r"lr was 0\.001 and is now 0\.5"):
        train(name="a", lr=0.5)


def test_a_run_is_named_by_the_time_or_put_into_a_folder():
    assert train(seeds=1).path.parent == Path("outputs/runs").absolute()
    assert train(seeds=1, folder="else where/a").path == Path("else where/a").absolute()
    with pytest.raises(UserError, match="must be given once"):
        train(name="a", folder="b")


def test_a_configuration_is_trained_as_it_is_and_with_changes():
    run = train(lr=0.5, name="a", seeds=1)
    other = dqn.train(run.config, gamma=0.5, name="b", progress=False)
    assert (other.config.lr, other.config.gamma, other.config.hidden) == (0.5, 0.5, (8,))
    with pytest.raises(UserError, match=r"must be a dqn.Config, got dict"):
        dqn.train({"lr": 0.1})


def test_a_sweep_is_led_to_where_it_belongs():
    for keywords in ({"sweep": "lr"}, {"hydra.sweeper.n_trials": 3}):
        with pytest.raises(UserError, match=r"write sweeps.tune\(...\) or sweeps.grid\(...\)"):
            train(**keywords)
    assert list(Path.cwd().iterdir()) == []


def test_progress_goes_to_standard_error_alone(capfd):
    train(progress=True)
    said = capfd.readouterr()
    assert said.out == ""
    assert "training 2 seeds" in said.err


def test_what_a_person_must_know_is_a_warning_of_the_line_that_called():
    with pytest.warns(UserWarning, match="no update is ever due") as caught:
        train(learning_starts=4000, episodes=3)
    (one,) = [w for w in caught if w.category is UserWarning]
    assert one.filename == __file__
    assert not str(one.message).startswith("warning")


def test_logging_and_hydra_of_the_caller_stay_as_they_are():
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    try:
        before = logging.getLogger().handlers[:]
        with pytest.raises(UserError):
            train(lr=-1)
        train(seeds=1)
        assert logging.getLogger().handlers == before
        assert HydraConfig.instance().cfg is None
    finally:
        logging.getLogger().removeHandler(handler)


def test_an_interrupt_keeps_what_has_ended_and_is_raised_again(monkeypatch):
    real = session.ctrl_c

    @contextmanager
    def at_once(heard):
        asked = threading.Event()
        asked.set()
        yield asked

    train(name="a", seeds=1)
    monkeypatch.setattr(session, "ctrl_c", at_once)
    with pytest.raises(KeyboardInterrupt, match=r"the same call resumes with folder='.*/runs/a'"):
        train(name="a", seeds=3)
    assert dqn.load("outputs/runs/a").seeds["seed"].tolist() == [0]
    monkeypatch.setattr(session, "ctrl_c", real)
    assert len(train(name="a", seeds=3).seeds) == 3


SCRIPT = """
import dqn
with open("starts", "a") as file:
    file.write("once more\\n")
run = dqn.train(hidden=[8], episodes={episodes}, test_episodes=0, seeds={seeds}, workers=2,
                name="a", progress=False)
print(len(run.seeds))
"""


def test_workers_do_not_run_a_script_that_guards_nothing():
    Path("script.py").write_text(SCRIPT.format(episodes=5, seeds=4))
    done = python("script.py")
    assert (done.stdout, own_lines(done.stderr)) == ("4\n", [])
    assert Path("starts").read_text() == "once more\n"


def test_ctrl_c_ends_a_script_with_its_seeds_saved_and_the_same_script_goes_on():
    Path("script.py").write_text(SCRIPT.format(episodes=300, seeds=40))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "script.py"], env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    wait_for_rows(process, Path("outputs/runs/a"), 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=200)
    if process.returncode == 0:
        return  # the machine was so busy that all had ended
    assert out == ""
    assert err.splitlines()[-1].startswith("KeyboardInterrupt: stopped: the seeds that had ended")
    ended = dqn.load("outputs/runs/a").seeds
    assert 1 <= len(ended) < 40
    done = python("script.py")
    assert done.stdout == "40\n", done.stderr
    now = dqn.load("outputs/runs/a").seeds
    assert now.set_index("seed").loc[ended["seed"], "seconds"].tolist() == ended["seconds"].tolist()


class Mine(CartPoleEnv):
    """An environment that no other process could import."""


def test_an_environment_of_the_caller_trains_in_this_process_and_a_warning_says_so(monkeypatch):
    Mine.__module__ = "__main__"  # as of a class in a notebook
    gymnasium.register("Notebook-v0", entry_point=Mine, max_episode_steps=50)
    monkeypatch.setattr(limits, "cores", lambda: 4)
    try:
        with pytest.warns(UserWarning, match="only this script registers Notebook-v0"):
            run = train(env="Notebook-v0", workers="auto")
    finally:
        del gymnasium.registry["Notebook-v0"]
    assert run.seeds["status"].tolist() == ["done", "done"]


def test_a_seed_that_fails_is_an_error_once_the_others_are_saved(monkeypatch):
    class Failing(Mine):
        def reset(self, *, seed=None, options=None):
            if seed is not None and getattr(Failing, "resets", 0) > 3:
                raise RuntimeError("broken")
            Failing.resets = getattr(Failing, "resets", 0) + 1
            return super().reset(seed=seed, options=options)

    gymnasium.register("Failing-v0", entry_point=Failing, max_episode_steps=50)
    try:
        with pytest.raises(RunError, match="broken"):
            train(env="Failing-v0", seeds=4, name="a")
    finally:
        del gymnasium.registry["Failing-v0"]


def test_a_folder_is_loaded_as_what_it_is(tmp_path):
    run = train(name="a", seeds=1)
    grid = sweeps.grid({"lr": [1e-3, 1e-2]}, **SMALL, seeds=1, name="a", progress=False)
    assert repr(dqn.load("outputs/runs/a")) == repr(run)
    assert isinstance(dqn.load(Path("outputs/sweeps/a")), sweeps.Sweep)
    trial = dqn.load("outputs/sweeps/a:1")
    assert isinstance(trial, dqn.Run)
    assert (trial.trial, trial.name, trial.config.lr) == (1, "a:1", 0.01)
    assert repr(trial) == repr(grid.trial(1))
    for path in ("outputs", "nowhere", "outputs/sweeps/a:7"):
        with pytest.raises(UserError):
            dqn.load(path)
    with pytest.raises(UserError, match=r"write dqn\.load"):
        dqn.Run("outputs/sweeps/a")


def test_a_folder_can_be_read_before_anything_has_ended_and_grows(tmp_path):
    config = Config(seeds=3)
    with ResultsDir(tmp_path / "run", config) as folder:
        run = dqn.load(tmp_path / "run")
        assert (len(run.seeds), len(run.trials), len(run.episodes)) == (0, 0, 0)
        assert "seed" in run.seeds
        assert "0 of 3 seeds" in repr(run)
        assert "0 of 3 seeds" in run._repr_html_()
        for ask in (run.plot.returns, run.plot.losses, run.model, run.play):
            with pytest.raises(UserError, match="no seed has ended yet"):
                ask()
        folder.add(result(0, 1, config=config))
        assert run.seeds["seed"].tolist() == [1]
        folder.add(result(0, 0, config=config))
        assert run.seeds["seed"].tolist() == [0, 1]
        assert "2 of 3 seeds" in repr(run)
