"""How far a sweep is, from its folder alone: no storage is opened for it, none is asked to change.

Optuna is imported only where a sampler sets an end of its own.
"""

import contextlib
import math
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from dqn.storage.reader import Results
from dqn.storage.safe_yaml import plain_of
from sweeps.search.repeats import IN_A_ROW


def trials_over(results: Results) -> tuple[int, int]:
    """How many of the trials that were asked for, of all tasks, are over, and how many were.

    Over is also a sample that was refused, as far as study.db in the folder says so.
    """
    results = results.part_of or results
    is_study = (results.sweep or {}).get("kind") == "study"
    ended, asked = over(results), expected(results)
    if is_study:
        untrained = ended - results.rows.keys()
        asked = min(asked, _ended_early(ended, untrained) or asked)
    return sum(n < asked or not is_study for n in ended), asked


def over(results: Results) -> set[int]:
    """Numbers of the trials that are over; of a race, those that may go on to another stage too."""
    sweep = results.sweep or {}
    stages = sweep.get("racing") or []
    ended = {
        n
        for n, rows in results.rows.items()
        if len(rows) in stages
        or len(rows) >= results.base.seeds
        or any(row["status"] in ("pruned", "failed") for row in rows)
    }
    ended |= {n for n, original in results.same_as.items() if original in ended}
    if sweep.get("kind") == "study":
        ended |= _refused(results.path / "study.db") - results.rows.keys()
    return ended


def expected(results: Results) -> int:
    """How many trials the last command for the folder asked for."""
    sweep, base = results.sweep or {}, results.base
    params = sweep.get("params") or {}
    if sweep.get("kind") == "grid":
        asked = math.prod(map(len, params.values()))
    elif sweep.get("kind") == "study":
        last = _last_asked(results.path)
        asked = max(int(sweep.get("n_trials", 0)), len(results.rows)) if last is None else last
        sampler = sweep.get("sampler") or {}
        if str(sampler.get("_target_")).endswith(("OneAtATime", "GridSampler")):
            from sweeps.search.samplers import sampling
            from sweeps.search.space_parser import search_space

            space = search_space([], params, lambda overrides: base)
            asked = min(asked, sampling(sampler, space, base, sweep.get("seed", 0)).limit or asked)
        return asked
    else:
        asked = len(sweep.get("trials", ())) + 1
    return max(asked, len(results.rows))


def _last_asked(path: Path) -> int | None:
    """`n_trials` of a study's last command, if known; sweep.yaml has the most there ever was."""
    try:
        asked = plain_of(path / ".hydra" / "hydra.yaml")["hydra"]["sweeper"]["n_trials"]
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return asked if type(asked) is int and asked > 0 else None


def _refused(path: Path) -> set[int]:
    """Numbers of the trials that have failed in the storage at `path`; none where it is elsewhere.

    Read as the plain table that Optuna 4 and 5 write: opening it as a storage may change it.
    """
    if not path.is_file():
        return set()
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        with contextlib.closing(connection):
            found = connection.execute("SELECT number FROM trials WHERE state = 'FAIL'")
            return {int(number) for (number,) in found.fetchall() if number is not None}
    return set()


def _ended_early(ended: Iterable[int], untrained: set[int]) -> int | None:
    """How many trials a study has that ended as its last samples gave nothing new to train."""
    last = max(ended, default=-1)
    is_early = last >= IN_A_ROW - 1 and untrained.issuperset(range(last - IN_A_ROW + 1, last + 1))
    return last + 1 if is_early else None
