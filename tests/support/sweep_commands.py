"""What tests of sweeps in processes of their own share."""

import contextlib
from pathlib import Path

import pandas as pd


def table(folder):
    """seeds.csv in order, without the seconds: what must be the same however it came about."""
    frame = pd.read_csv(folder / "seeds.csv").sort_values(["trial", "seed"])
    assert not frame.duplicated(["trial", "seed"]).any()
    return frame.drop(columns="seconds").reset_index(drop=True)


def workers_of(process):
    """The ids of its worker processes."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    with contextlib.suppress(OSError):
        return [int(word) for word in children.read_text().split()]
    return []
