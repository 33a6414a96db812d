"""A study as a user gives it: one command, the same again, and one with another space."""

import subprocess
import sys

import pandas as pd


def run(folder, *arguments):
    command = [sys.executable, "-m", "dqn.run", "-m", "hydra/sweeper=optuna"]
    command += ["hydra/sweeper/sampler=random", "hydra.sweeper.n_trials=3", "seeds=2", "hidden=[8]"]
    command += ["batch_size=8", "episodes=12", "workers=0", f"hydra.sweep.dir={folder}"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)


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
    assert again.stdout.count("nothing was left to do") == 2
    other = run(folder, "lr=tag(log,interval(1e-4,1e-1))")
    assert other.returncode == 2
    assert other.stderr.count("\n") == 1
    assert "0.01" in other.stderr
    assert "name" in other.stderr
