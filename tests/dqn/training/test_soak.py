"""A study of a thousand trials: what it holds, and what a trial costs, do not grow with them."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import argv

TRIALS, WARM = 1000, 300  # by then all programs are compiled and every cache is full
# A network of 70 KB: one that is kept of each trial would show beside the rows of the tables.
SMALL = [
    "hidden=[128,128]",
    "seeds=1",
    "batch_size=4",
    "buffer_size=64",
    "episodes=3",
    "test_episodes=1",
]
SMALL += ["workers=1"]
SPACE = ["lr=tag(log,interval(1e-4,1e-2))", "gamma=interval(0.9,0.999)"]
TICKS = os.sysconf("SC_CLK_TCK")


def started(folder):
    study = ["-m", "hydra/sweeper=optuna", "hydra/sweeper/sampler=random"]
    study += [f"hydra.sweeper.n_trials={TRIALS}", f"hydra.sweep.dir={folder}"]
    with (folder.parent / "told").open("w") as text:
        return subprocess.Popen(argv(*study, *SMALL, *SPACE), stdout=text, stderr=text)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state(pid):
    """Its own memory in KB, how many files it has open, the seconds of processor it has used."""
    of = Path(f"/proc/{pid}")
    lines = (of / "status").read_text().splitlines()
    memory = next(line for line in lines if line.startswith("RssAnon"))
    times = (of / "stat").read_text().rpartition(")")[2].split()[11:13]
    return int(memory.split()[1]), len(os.listdir(of / "fd")), sum(map(int, times)) / TICKS


def watched(process, folder):
    """By time: the trials that are over, and the state of the driver and of its worker."""
    seen = []
    while process.poll() is None:
        time.sleep(0.1)
        try:
            trials = (folder / "seeds.csv").read_bytes().count(b"\n") - 1
            (worker,) = children(process.pid)
            seen.append((trials, *state(process.pid), *state(worker)))
        except (OSError, ValueError, StopIteration):  # not begun yet, or over
            continue
    names = [f"{who} {what}" for who in ("driver", "worker") for what in ("memory", "files", "cpu")]
    return pd.DataFrame(seen, columns=["trials", *names])


def cost(seen, who, begin, end):
    """Milliseconds of processor a trial, from one number of trials to another."""
    part = seen[(seen.trials >= begin) & (seen.trials <= end)]
    return 1000 * np.polyfit(part.trials, part[f"{who} cpu"], 1)[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_trials_leak_nothing_and_do_not_slow_down(tmp_path):
    folder = tmp_path / "study"
    began = time.monotonic()
    process = started(folder)
    seen = watched(process, folder)
    text = (tmp_path / "told").read_text()
    assert process.returncode == 0, text
    assert len(pd.read_csv(folder / "seeds.csv")) == TRIALS
    print(f"\n{TRIALS} trials in {time.monotonic() - began:.0f} s; seen {len(seen)} times")

    warm = seen[(seen.trials >= WARM) & (seen.trials < TRIALS)]
    assert len(warm) > 20
    middle = (WARM + TRIALS) // 2
    # The driver holds each trial's rows, and what Optuna does of it.
    for who, most in (("worker", 8.0), ("driver", 30.0)):
        grows = np.polyfit(warm.trials, warm[f"{who} memory"], 1)[0]
        files = warm[f"{who} files"]
        first, second = cost(seen, who, WARM, middle), cost(seen, who, middle, TRIALS)
        print(
            f"{who}: memory {warm[f'{who} memory'].iloc[-1] / 1024:.0f} MB, {grows:+.2f} KB a "
            f"trial; files {files.iloc[0]} to {files.iloc[-1]}, at most {files.max()}; processor "
            f"{first:.2f} then {second:.2f} ms a trial"
        )
        assert grows < most
        assert files.tail(20).median() <= files.head(20).median()
        assert second < 1.3 * first
