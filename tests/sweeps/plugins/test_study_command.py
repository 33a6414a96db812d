"""A study as a user gives it: one command, the same again, and one with another space."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime
from itertools import count

import optuna
import pandas as pd
import pytest
from commands import argv, here, rows, wait_for_rows
from sweep_commands import table, workers_of

from dqn.workers import remote_pool

# Seconds, so that there are moments to choose from.
LONG = ["hydra.sweeper.n_trials=8", "seeds=4", "hydra.sweeper.parallel=3", "episodes=60"]
LONG += ["train_freq=1", "workers=1", "lr=tag(log,interval(1e-4,1e-2))"]
RACED = [*LONG, "hydra/sweeper/sampler=tpe", "hydra.sweeper.racing=[2,4]"]
PRUNED = [*LONG, "hydra/sweeper/pruner=median", "hydra.sweeper.rungs=[0.3,0.6]"]


def command(folder, *arguments):
    study = ["-m", "hydra/sweeper=optuna", "hydra/sweeper/sampler=random"]
    study += ["hydra.sweeper.n_trials=3", "seeds=2", "hidden=[8]", "batch_size=8", "episodes=12"]
    given = {argument.partition("=")[0] for argument in arguments}
    kept = [word for word in [*study, "workers=0"] if word.partition("=")[0] not in given]
    return argv(*kept, f"hydra.sweep.dir={folder}", *arguments)


def run(folder, *arguments, **named):
    asked = command(folder, *arguments)
    return subprocess.run(asked, capture_output=True, text=True, timeout=300, **named)


def whole(folder, *arguments):
    """The table of a study, whatever there was of it."""
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return table(folder)


def killed(folder, moments, *arguments):
    """Whether the study was ended before its end: its driver, or that and its worker."""
    asked = command(folder, *arguments)
    process = subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_rows(process, folder, rows(folder) + moments.randrange(6))
    time.sleep(0.2 * moments.random())
    for worker in workers_of(process) if moments.random() < 0.5 else []:
        os.kill(worker, signal.SIGKILL)
    process.kill()
    _, err = process.communicate(timeout=100)
    assert "Traceback" not in err, err
    return process.returncode == -signal.SIGKILL


def through_kills(folder, count, *arguments):
    """Tables of studies that were killed, `count` times in all, and gone on with to their ends."""
    moments, tables, before = random.Random(str(arguments)), [], None
    while count:
        at = folder / str(len(tables))
        count -= killed(at, moments, *arguments)
        kept = table(at) if rows(at) else None
        if before is not None:  # what was finished stays as it was
            pd.testing.assert_frame_equal(kept.merge(before[["trial", "seed"]]), before)
        before = kept
        if not count or moments.random() < 0.2:
            tables.append(whole(at, *arguments))
            before = None
    return tables


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_raced_study_killed_at_five_random_moments_ends_as_if_it_had_not_been(tmp_path):
    expected = whole(tmp_path / "calm", *RACED)
    assert 8 * 2 < len(expected) < 8 * 4  # some went on, and some did not
    for found in through_kills(tmp_path, 5, *RACED):
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_pruned_study_killed_at_five_random_moments_loses_and_doubles_nothing(tmp_path):
    """What is pruned depends on time; samples of the random sampler, and what is whole, do not."""
    expected = whole(tmp_path / "calm", *PRUNED)
    for number, found in enumerate(through_kills(tmp_path, 5, *PRUNED)):
        keys = ["trial", "seed", "lr"]
        pd.testing.assert_frame_equal(found[keys], expected[keys])
        both = (found.status == "done") & (expected.status == "done")
        pd.testing.assert_frame_equal(found[both], expected[both])
        assert {*found.status} <= {"done", "pruned"}
        file = tmp_path / str(number) / "study.db"
        (study,) = optuna.get_all_study_names(f"sqlite:///{file}")
        stored = optuna.load_study(study_name=study, storage=f"sqlite:///{file}").trials
        states = found.groupby("trial").status.agg(lambda of: "pruned" in set(of))
        assert [t.state.name for t in stored] == [
            "PRUNED" if pruned else "COMPLETE" for pruned in states
        ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hung_worker_costs_time_and_no_result(tmp_path, monkeypatch, capfd):
    """The whole command, in this process, where its limit can be lowered."""
    expected = whole(tmp_path / "calm", *RACED)
    monkeypatch.setattr(remote_pool, "HEARTBEAT_TIMEOUT", 30.0)
    poll, stopped = remote_pool.RemotePool._poll, []

    def stop_once(pool, one, update, has_reported):
        poll(pool, one, update, has_reported)
        if update.finished and not stopped:
            stopped.append(one.worker.process.pid)
            os.kill(stopped[0], signal.SIGSTOP)

    monkeypatch.setattr(remote_pool.RemotePool, "_poll", stop_once)
    assert here(*command(tmp_path / "cut", *RACED)[3:]) == 0
    assert "a worker was lost (it sent no heartbeat for 30 s): " in capfd.readouterr().err
    pd.testing.assert_frame_equal(table(tmp_path / "cut"), expected)


class Backwards(datetime):
    """A clock that steps back an hour whenever it is read."""

    reads = count(1)

    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(1.8e9 - 3600.0 * next(cls.reads), tz)


@pytest.mark.slow
def test_a_clock_that_runs_backwards_changes_nothing(tmp_path, monkeypatch, capfd):
    """During a study, and from one command to the next; in this process, where it can be set."""
    study = ["hydra.sweeper.racing=[1,2]", "hydra.sweeper.parallel=1", "hydra.sweeper.n_trials=5"]
    study = command(tmp_path / "back", *study, "lr=tag(log,interval(1e-4,1e-2))")[3:]
    calm = [word.replace(str(tmp_path / "back"), str(tmp_path / "calm")) for word in study]
    assert here(*calm) == 0
    monkeypatch.setattr("time.time", lambda: Backwards.now().timestamp())
    for name, module in list(sys.modules.items()):
        ours = name.partition(".")[0] in ("dqn", "sweeps", "optuna")
        if ours and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Backwards)
    assert here(*study) == 0
    pd.testing.assert_frame_equal(table(tmp_path / "back"), table(tmp_path / "calm"))
    file = tmp_path / "back" / "study.db"
    stored = optuna.load_study(study_name="back", storage=f"sqlite:///{file}").trials
    ends = [trial.datetime_complete for trial in stored]
    assert ends == sorted(ends, reverse=True)  # it did run so
    for _ in range(2):
        file.write_bytes(b"damaged")
        assert here(*study) == 0
        assert "study.db is damaged: it is kept as study.db.damaged-" in capfd.readouterr().err
    assert len(list(file.parent.glob("study.db.damaged-*"))) == 2
    pd.testing.assert_frame_equal(table(tmp_path / "back"), table(tmp_path / "calm"))


def test_a_study_is_trained_once_validated_and_keeps_its_space(tmp_path):
    folder, space = tmp_path / "s", "lr=tag(log,interval(1e-4,1e-2))"
    first = run(folder, space, "hydra.sweeper.validate={top:1,seeds:2}")
    assert first.returncode == 0, first.stderr
    assert "Warning" not in first.stderr
    table = pd.read_csv(folder / "seeds.csv")
    assert sorted(zip(table["trial"], table["seed"], strict=True)) == [
        (n, s) for n in range(3) for s in range(2)
    ]
    assert table["lr"].nunique() == 3
    text = (folder / "seeds.csv").read_bytes()
    held = pd.read_csv(folder / "validation" / "seeds.csv")
    assert held["seed"].tolist() == [2, 3] * 2
    assert "never used by the study" in first.stdout
    found = (folder / "validation.csv").read_bytes()
    again = run(folder, space, "hydra.sweeper.validate={top:1,seeds:2}")
    assert again.returncode == 0, again.stderr
    assert "Warning" not in again.stderr
    assert (folder / "seeds.csv").read_bytes() == text  # even the seconds: nothing is trained
    assert (folder / "validation.csv").read_bytes() == found
    assert again.stdout.count("nothing to do") == 2
    other = run(folder, "lr=tag(log,interval(1e-4,1e-1))")
    assert other.returncode == 2
    assert other.stderr.count("\n") == 1
    assert "0.01" in other.stderr
    assert "name" in other.stderr
