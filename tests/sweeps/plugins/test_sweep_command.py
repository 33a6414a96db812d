"""A grid as its user meets it: real commands, killed and stopped, and the one folder they leave."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from commands import argv, ended, here, rows, stopped, wait_for_rows
from omegaconf import OmegaConf
from sweep_commands import table, workers_of

SMALL = ["hidden=[8]", "batch_size=8", "episodes=12", "test_episodes=2", "seeds=3", "workers=2"]
GRID = ["lr=0.001,0.01", "gamma=0.9,0.99"]
# Seconds, so that there are moments to choose from; trials that end one after the other.
LONG = ["episodes=10,25,60,150", "train_freq=1"]


def asked(folder, *overrides):
    return "-m", f"hydra.sweep.dir={folder}", *SMALL, *overrides


def gone_on_with(folder):
    """The table of the long grid, whatever there was of it."""
    assert here(*asked(folder, *LONG, "workers=0")) == 0
    return table(folder)


def started(folder, *overrides):
    return subprocess.Popen(
        argv(*asked(folder, *overrides)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "results"
    return folder, ended(*asked(folder, *GRID))


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    return gone_on_with(tmp_path_factory.mktemp("long") / "results")


def test_a_grid_is_one_folder_with_every_file_of_the_contract(grid):
    folder, done = grid
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"results: {folder}; best/ is trial ")
    assert "Warning" not in done.stderr
    frame, trials = table(folder), pd.read_csv(folder / "trials.csv")
    assert frame[["trial", "seed"]].to_numpy().tolist() == [
        [trial, seed] for trial in range(4) for seed in range(3)
    ]
    assert (frame.status == "done").all()
    assert (frame.episodes == 12).all()
    pairs = frame.drop_duplicates("trial")[["lr", "gamma"]].to_numpy().tolist()
    assert pairs == [[0.001, 0.9], [0.001, 0.99], [0.01, 0.9], [0.01, 0.99]]
    assert sorted(trials.trial) == [0, 1, 2, 3]
    assert (trials.seeds_done == 3).all()
    episodes = pd.read_parquet(folder / "episodes.parquet")
    assert len(episodes) == 4 * 3 * 12
    means = episodes.groupby(["trial", "seed"])["return"].mean()
    assert means.tolist() == pytest.approx(frame.mean_return.tolist())
    for name in ("config.yaml", "sweep.yaml", ".hydra/overrides.yaml", "best/config.yaml"):
        assert (folder / name).exists(), name
    for name in ("best/model.keras", "best/episode.gif", "best/figures/returns.png"):
        assert (folder / name).exists(), name


def test_a_grid_keeps_the_configuration_that_its_values_replace(grid, tmp_path):
    folder, _ = grid
    kept = OmegaConf.load(folder / "config.yaml")
    assert (kept.lr, kept.gamma, kept.episodes) == (0.001, 0.99, 12)
    one = ["episodes=1", "seeds=1", "workers=0"]
    tasks = ["env=gymnasium", "env.id=CartPole-v1,CartPole-v0"]  # of which nothing is left without
    assert here(*asked(tmp_path / "tasks", *tasks, *one)) == 0
    assert OmegaConf.load(tmp_path / "tasks" / "config.yaml").env.id == "CartPole-v1"


def test_a_trial_of_a_grid_and_a_single_run_give_the_same_rows(grid, tmp_path):
    folder, _ = grid
    where = f"hydra.run.dir={tmp_path / 'alone'}"
    assert here(where, *SMALL, "lr=0.01", "gamma=0.9", "workers=0") == 0
    of_grid = table(folder)
    of_grid = of_grid[of_grid.trial == 2].reset_index(drop=True).drop(columns="trial")
    pd.testing.assert_frame_equal(of_grid, table(tmp_path / "alone").drop(columns="trial"))


def test_the_same_grid_again_trains_nothing_and_a_changed_one_is_refused(grid, capfd):
    folder, _ = grid
    before = (folder / "seeds.csv").read_bytes()
    assert here(*asked(folder, *GRID)) == 0
    assert "nothing to do" in capfd.readouterr().out
    refused = ended(*asked(folder, "lr=0.001,0.02", "gamma=0.9,0.99"))
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "0.02" in line
    assert "0.01" in line
    assert here(*asked(folder, *GRID, "seeds=2")) == 2
    assert "seeds" in capfd.readouterr().err
    assert (folder / "seeds.csv").read_bytes() == before


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path, long):
    """As a terminal does it: every process of the group is interrupted."""

    def interrupt(process, folder):
        wait_for_rows(process, folder, 1)
        os.killpg(process.pid, signal.SIGINT)

    folder, status, out, err = stopped(tmp_path, lambda own: started(own, *LONG), interrupt)
    assert status == 130, err
    assert "a worker was lost" not in err
    assert "of 4 trials saved" in out
    assert f"hydra.sweep.dir={folder}" in out.split("to resume: ")[1]
    kept = table(folder)
    over, more = re.search(r"(\d) of 4 trials saved(?:, (\d) more in part)?", out).groups("0")
    assert int(over) + int(more) == kept.trial.nunique()
    assert (kept.trial.value_counts() == 3).sum() == int(over)
    assert 0 < len(kept) < 12
    trials = pd.read_csv(folder / "trials.csv")
    assert trials.seeds_done.sum() == len(kept)
    pd.testing.assert_frame_equal(gone_on_with(folder), long)


def test_ctrl_c_while_workers_start_is_no_complaint(tmp_path):
    def interrupt(process, folder):
        deadline = time.monotonic() + 60
        while len(workers_of(process)) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGINT)

    _, status, out, err = stopped(tmp_path, lambda own: started(own, *LONG), interrupt)
    assert status == 130, err
    assert "a worker was lost" not in err
    assert re.search(r"stopped: \d of 4 trials saved", out)


RUN_AND_LOOK = """
import sys
from dqn import run
try:
    status = run.main()
finally:
    print("loaded:", *sorted({"tensorflow", "optuna", "matplotlib", "ray"} & sys.modules.keys()))
"""


def test_where_nothing_is_left_to_do_no_library_of_training_or_drawing_is_loaded(tmp_path):
    command = asked(tmp_path / "grid", *GRID, "workers=0")
    assert here(*command) == 0
    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_LOOK, *command], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "all trials are already trained" in done.stdout
    assert done.stdout.splitlines()[-1].strip() == "loaded:"


def test_a_trial_too_large_for_memory_fails_and_the_others_go_on(tmp_path, capfd):
    large = "hidden=[8],[60000,60000]"
    assert here(*asked(tmp_path / "grid", large, "seeds=2", "workers=0")) == 1
    done = capfd.readouterr()
    frame = table(tmp_path / "grid")
    assert frame.status.tolist() == ["done", "done", "failed", "failed"]
    assert "trial 1 failed: a block of 16 lanes must fit into memory" in done.err
    assert "1 of 2 trials failed" in done.out


def killed_at_moments(folder, kind, moments, count=1):
    """Run a grid and end what `kind` says at moments chosen by rows written and a little time."""
    process = started(folder, *LONG, "workers=1")
    for _ in range(count):
        wait_for_rows(process, folder, moments.randrange(0, 10))
        time.sleep(0.1 * moments.random())
        for worker in workers_of(process) if kind in ("worker", "both") else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    if kind in ("driver", "both"):
        process.kill()
    _, err = process.communicate(timeout=100)  # ends when the last of its workers has
    assert "Traceback" not in err, err
    return process.returncode


def test_a_kill_loses_and_doubles_nothing(tmp_path, long):
    moments = random.Random(1)

    def kill(process, folder):
        wait_for_rows(process, folder, moments.randrange(0, 10))
        process.kill()

    folder, status, _, _ = stopped(tmp_path, lambda own: started(own, *LONG, "workers=1"), kill)
    assert status == -signal.SIGKILL
    pd.testing.assert_frame_equal(gone_on_with(folder), long)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["driver", "both"])
def test_drivers_killed_at_fifteen_random_moments_lose_and_double_nothing(tmp_path, long, kind):
    moments = random.Random(kind)
    folder = tmp_path / "cut"
    for session in range(15):
        before = table(folder) if rows(folder) else None
        status = killed_at_moments(folder, kind, moments)
        if before is not None:  # what was finished stays as it was
            kept = table(folder).merge(before[["trial", "seed"]])
            pd.testing.assert_frame_equal(kept, before)
        if status == 0 or rows(folder) == 12:
            pd.testing.assert_frame_equal(gone_on_with(folder), long)
            folder = tmp_path / f"cut {session}"
    pd.testing.assert_frame_equal(gone_on_with(folder), long)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("session", range(5))
def test_workers_killed_at_two_random_moments_lose_and_double_nothing(tmp_path, long, session):
    """A third might meet a trial that is alone in its worker for the third time: given up."""
    moments = random.Random(session)
    assert killed_at_moments(tmp_path, "worker", moments, count=2) == 0
    pd.testing.assert_frame_equal(table(tmp_path), long)
