"""The tables that commands end with: their columns, words and numbers, on a terminal and off it."""

import dataclasses
import sys

import pandas as pd
import pytest
from trainings import CONFIG, result

from dqn.storage.columns import hyperparameters
from dqn.storage.trials import EXERCISE, named, numbered, trial_rows
from dqn.terminal.tables import as_text, leaderboard, table

KNOBS = ("lr", "gamma", "epsilon_decay", "train_freq", "target_update", "reward_scale", "tau",
         "batch_size", "buffer_size", "epsilon_min", "grad_clip", "double")  # fmt: skip


def trials(*levels, numbers=None):
    """Rows of trials.csv, of trials of 4 seeds: three return `level` and one returns 100 less."""
    rows = []
    for number, level in zip(numbers or range(len(levels)), levels, strict=True):
        config = dataclasses.replace(CONFIG, lr=10.0 ** -(1 + number % 5))
        rows.append(
            [
                result(number, seed, returns=[level - 100.0 * (seed == 3)] * 12, config=config).row(
                    195.0, KNOBS
                )
                for seed in range(4)
            ]
        )
    return pd.DataFrame(trial_rows(rows, hyperparameters(CONFIG, KNOBS)))


def on_terminal(monkeypatch, columns):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", f"{columns}")


def test_a_leaderboard_shows_the_number_that_it_is_sorted_by():
    means = {0: 99.0, 1: 98.5}
    board = leaderboard(trials(150.0, 120.0), ["lr"], ordered_by="mean", value_of=means.__getitem__)
    _, head, _, first, second = board.splitlines()[:5]
    assert " ".join(head.split()).startswith("trial lr status seeds mean IQM 95 % interval")
    assert first.split()[5:7] == ["99.0", "150.0"]
    assert second.split()[5:7] == ["98.5", "120.0"]
    assert board.endswith("best first by the mean of mean_return")
    low = leaderboard(trials(150.0), ["lr"], ordered_by="lower end of it", value_of=lambda n: 7.0)
    assert "lower end  " in low.splitlines()[1]


def test_a_leaderboard_says_that_its_iqm_is_not_what_it_is_sorted_by_where_that_is_not_known():
    board = leaderboard(trials(150.0, 120.0), ["lr"], ordered_by="mean")
    assert board.endswith("best first by the mean of mean_return; shown is the IQM")


def test_the_exercise_is_called_so():
    board = leaderboard(trials(150.0, 120.0, numbers=(7, EXERCISE)), ["lr"])
    assert [line.split()[1] for line in board.splitlines()[2:]] == ["7", "exercise"]
    assert (named(EXERCISE), named(7)) == ("the exercise", "trial 7")
    assert (numbered(EXERCISE), numbered(7)) == ("exercise", "7")


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_leaderboard_fits_a_narrow_terminal_and_says_what_it_left_out(monkeypatch, columns):
    whole = leaderboard(trials(150.0, 120.0), KNOBS)
    on_terminal(monkeypatch, columns)
    board = leaderboard(trials(150.0, 120.0), KNOBS)
    lines = board.splitlines()
    assert max(map(len, lines)) <= columns < max(map(len, whole.splitlines()))
    cells, all_cells = (
        next(line.split() for line in text.splitlines() if line.startswith(" 1 "))
        for text in (board, whole)
    )
    assert cells[:3] == all_cells[:3]  # rank, trial and the first hyperparameter
    left = len(all_cells) - len(cells) + 3  # metrics, which the whole one has no room for, either
    assert lines[-1] == f"  {left} more columns: trials.csv"
    monkeypatch.undo()
    assert leaderboard(trials(150.0, 120.0), KNOBS) == whole


def wide():
    titles = ["who", *(f"column {n}\n95 % interval" for n in range(6))]
    return table(
        titles,
        ([name, *(f"{name} {n}\n[1.0, 2.0]" for n in range(6))] for name in ("first", "second")),
    )


def test_a_table_too_wide_for_its_terminal_stands_in_parts_below_each_other(monkeypatch):
    whole = as_text(wide())
    assert max(map(len, whole.splitlines())) > 80
    on_terminal(monkeypatch, 80)
    lines = as_text(wide()).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith(" first") for line in lines) == 2
    assert [n for n in range(6) for line in lines if f"second {n}" in line] == list(range(6))
    monkeypatch.setenv("COLUMNS", "500")
    assert as_text(wide()) == whole


def test_a_column_wider_than_its_terminal_stands_alone(monkeypatch):
    on_terminal(monkeypatch, 10)
    lines = as_text(wide()).splitlines()
    assert sum(line.startswith(" first") for line in lines) == 6
