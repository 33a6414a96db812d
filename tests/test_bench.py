"""The benchmark's command: its table, and that every contender runs."""

import re
import subprocess
import sys

import pytest
from rich.console import Console

from dqn.bench.__main__ import _table
from dqn.bench.contenders import CONTENDERS


def test_the_last_column_is_the_ratio_to_the_first_row():
    console = Console(width=100)
    with console.capture() as captured:
        console.print(_table({"exercise recipe": 25.0, "DQNAgent": 4321.0}))
    assert re.search(r"exercise recipe\W+25\W+1\.0", captured.get())
    assert re.search(r"DQNAgent\W+4,321\W+172\.8", captured.get())


@pytest.mark.slow
def test_every_contender_is_measured_in_one_run():
    command = [sys.executable, "-m", "dqn.bench", "--seconds", "0.5"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
    rows = re.findall(r"│ (.+?) +│ +([\d,]+) │ +([\d,.]+) │", printed.stdout)
    assert [name for name, _, _ in rows] == list(CONTENDERS)
    assert all(float(ratio.replace(",", "")) > 0 for _, _, ratio in rows)
