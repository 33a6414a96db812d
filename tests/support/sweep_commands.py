"""What tests of sweeps, and of what is said of them, share."""

import contextlib
import json
from pathlib import Path

import pandas as pd

from sweeps.__main__ import main


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


def presets(tmp_path, **texts):
    """Files of the group preset, by name; the flag that finds them."""
    folder = tmp_path / "conf" / "preset"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(f"# @package _global_\n{text}\n")
    return f"--config-dir={folder.parent}"


def plain(capsys, *arguments):
    """The status of `python -m sweeps` and what it prints as JSON."""
    capsys.readouterr()
    status = main([*map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments):
    """Its status, and the one line on standard error that is all it prints."""
    capsys.readouterr()
    status = main([*map(str, arguments)])
    text = capsys.readouterr()
    assert text.out == ""
    assert text.err.count("\n") == 1
    return status, text.err
