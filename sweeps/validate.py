"""`python -m sweeps validate`: whether what a study claims holds on seeds that it never used.

A study's best trial is the best of many on the same few seeds, so part of its lead is luck (the
winner's curse). Seeds it was not chosen by tell which part.
"""

import argparse
import contextlib
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dqn.config import INT_BOUND, Config
from dqn.errors import RunError, UserError
from dqn.execution.summary import as_text
from dqn.results import composed
from dqn.results.atomic import replacing
from dqn.results.columns import Row
from dqn.results.reading import Results, read
from dqn.results.stats import METRICS
from dqn.results.trials import trial_row
from dqn.status import INTERRUPTED
from sweeps.compare import TITLES, TOO_SHORT, changes, spanned, table
from sweeps.contenders import Against, against

FOLDER, TABLE, PRESET = "validation", "validation.csv", "recommended.yaml"
BASELINE = "exercise"
EXAMPLES = """\
examples
  python -m sweeps validate outputs/sweeps/a                        the 5 best, on 50 new seeds
  python -m sweeps validate outputs/sweeps/a --top 10 --seeds 100   again: goes on where it stopped
"""


@dataclass(frozen=True)
class Finding:
    """What one trial, or the baseline, claimed and what it held."""

    trial: int | None
    """In the study; None is the baseline."""
    claimed_rank: int | None
    held_rank: int
    claimed: tuple[float | None, tuple[float, float] | None]
    """IQM and 95 % interval on the study's seeds."""
    held: tuple[float | None, tuple[float, float] | None]
    """On the new seeds."""
    optimism: Against | None
    """The claimed against the held-out seeds."""
    versus: Against | None
    """Against the baseline, on the new seeds."""
    rows: Sequence[Row]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `validate`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="of a grid or a study")
    add("--top", type=_at_least(1), default=5, metavar="K", help="trials, best first (default: 5)")
    add("--seeds", type=_at_least(2), default=50, metavar="N", help="new ones (default: 50)")
    add("--workers", type=_at_least(0), metavar="W", help="processes (default: as the study)")


def validate(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Train, compare, and write validation.csv and recommended.yaml; status, text, plain values.

    Raises `UserError` for what cannot be validated, `RunError` where writing or reading fails.
    """
    results = read(args.folder)
    if results.sweep is None:
        raise UserError(f"{args.folder}: must hold a grid or a study, holds a run; name another")
    chosen = results.ranked()[: args.top]
    base = _base(results, args)
    configs = {0: base, **{rank: _like(base, results, n) for rank, n in enumerate(chosen, 1)}}
    path = args.folder / FOLDER
    _refuse_other(path, chosen, base.first_seed)
    with contextlib.redirect_stdout(sys.stderr):
        status = _train(base, path, configs, chosen)
    if status == INTERRUPTED:
        return status, "to go on: the same command", {"interrupted": True}
    findings = _findings(results, chosen, _held(path, base))
    winner = best_bound(findings, results.objective)
    try:
        _write_table(args.folder / TABLE, findings, winner, results.objective)
        if winner is not None:
            config = configs[0 if winner.trial is None else chosen.index(winner.trial) + 1]
            title = _title(winner, results, base)
            composed.write_preset(args.folder / PRESET, config, title)
    except OSError as error:
        raise RunError(f"{args.folder}: writing failed ({error.strerror or error})") from error
    text = _told(findings, winner, results, base)
    return status, text, _plain(findings, winner, results, base)


def best_bound(findings: Sequence[Finding], metric: str) -> Finding | None:
    """The one with the best end to be counted on of its held-out interval; None if none has one."""
    bounded = [one for one in findings if one.held[1] is not None]
    end = 0 if METRICS[metric] < 0 else 1
    sign = 1.0 if METRICS[metric] < 0 else -1.0
    return max(bounded, key=lambda one: sign * one.held[1][end], default=None)  # pyright: ignore[reportOptionalSubscript]


def _base(results: Results, args: argparse.Namespace) -> Config:
    """The baseline, in the study's environment and budget, with the seeds that come after it."""
    study = results.base
    used = [study.first_seed + study.seeds - 1]
    used += [int(row["seed"] or 0) for rows in results.rows.values() for row in rows]
    first = max(used) + 1
    if first + args.seeds > INT_BOUND:
        raise UserError(f"--seeds must leave seeds below 2^31, met {args.seeds}; write fewer")
    return Config(
        env=study.env, episodes=study.episodes, steps=study.steps, seeds=args.seeds,
        first_seed=first, test_episodes=study.test_episodes,
        workers=study.workers if args.workers is None else args.workers,
    )  # fmt: skip


def _like(base: Config, results: Results, trial: int) -> Config:
    """A trial's configuration with the new seeds; refused in another environment or budget."""
    config = results.config(trial)
    for key in ("env", "episodes", "steps"):
        if getattr(config, key) != getattr(base, key):
            raise UserError(
                f"{results.path}: trials must share environment and budget to be validated, trial "
                f"{trial} has another {key} than the study's; give --top less, or use compare"
            )
    kept = {n: getattr(base, n) for n in ("seeds", "first_seed", "workers", "test_episodes")}
    return replace(config, name=None, **kept)


def _refuse_other(path: Path, chosen: Sequence[int], first_seed: int) -> None:
    """Refuse what an earlier command has left there, where it is no part of this one."""
    before = composed.read_sweep(path / composed.SWEEP)
    config = composed.read_config(path / composed.CONFIG)
    if before is not None and before.get("trials") != list(chosen):
        raise UserError(
            f"{path}: must be of the trials {_list(chosen)}, is of "
            f"{_list(before.get('trials') or ())}; move it away, or give --top as it was"
        )
    if config is not None and config["first_seed"] != first_seed:
        raise UserError(
            f"{path}: must begin with seed {first_seed}, the first that the study has not used, "
            f"begins with {config['first_seed']}; move it away"
        )


def _held(path: Path, base: Config) -> Results:
    """What was trained on the seeds of `base`; an earlier command may have asked for more."""
    held = read(path)
    seeds = range(base.first_seed, base.first_seed + base.seeds)
    rows = {n: [row for row in of_one if row["seed"] in seeds] for n, of_one in held.rows.items()}
    return replace(held, base=base, rows=rows)


def _train(base: Config, path: Path, configs: Mapping[int, Config], chosen: Sequence[int]) -> int:
    from dqn.execution import session
    from dqn.execution.source import Fixed, Trial

    seeds = tuple(range(base.first_seed, base.first_seed + base.seeds))
    about = session.Sweep(
        record={"kind": FOLDER, "trials": list(chosen)},
        grows=(),
        swept=tuple(changes([config.to_mapping() for config in configs.values()])),
        configs=tuple(dict.fromkeys(configs.values())),
    )
    trials = [Trial(number, config, seeds) for number, config in configs.items()]
    return session.sweep(base, path, about, lambda folder: Fixed(trials))[0]


def _findings(results: Results, chosen: Sequence[int], held: Results) -> list[Finding]:
    """The trials in order of their claims, the baseline last."""
    metric = results.objective
    order = [number for number in held.ranked() if number]
    found = [
        Finding(
            trial, rank, order.index(rank) + 1, _summary(results.rows[trial], metric),
            _summary(held.rows[rank], metric),
            against(results.rows[trial], held.rows[rank], metric),
            against(held.rows[rank], held.rows[0], metric), held.rows[rank],
        )
        for rank, trial in enumerate(chosen, 1)
    ]  # fmt: skip
    place = held.ranked().index(0) + 1
    baseline = held.rows[0]
    unknown = None, None
    return [
        *found,
        Finding(None, None, place, unknown, _summary(baseline, metric), None, None, baseline),
    ]


def _summary(rows: Sequence[Row], metric: str) -> tuple[float | None, tuple[float, float] | None]:
    row: Any = trial_row(rows, ())
    ends = row[f"{metric}_low"], row[f"{metric}_high"]
    return row[metric], None if None in ends else ends


def _told(
    findings: Sequence[Finding], winner: Finding | None, results: Results, base: Config
) -> str:
    metric = results.objective
    digits = 2 if metric == "collapse" else 1
    made = table(
        TITLES[metric], "claimed\n95 % interval", f"on {base.seeds} new seeds\n95 % interval",
        "optimism\n95 % interval", "rank", f"P(better than {BASELINE})\n95 % interval", "",
    )  # fmt: skip
    for one in findings:
        optimism, versus = one.optimism, one.versus
        made.add_row(
            BASELINE if one.trial is None else f"trial {one.trial}",
            spanned(*one.claimed, digits),
            spanned(*one.held, digits),
            spanned(optimism.difference, optimism.difference_interval, digits) if optimism else "-",
            f"{one.claimed_rank} → {one.held_rank}" if one.trial is not None else "-",
            spanned(versus.improvement, versus.improvement_interval, 2) if versus else "-",
            "recommended" if one is winner else "",
        )
    ends = {e for one in findings if one.versus for e in one.versus.improvement_interval or ()}
    lines = [as_text(made).strip("\n"), ""]
    lines += [TOO_SHORT] * bool({0.0, 1.0} & ends)
    lines.append(
        f"optimism: claimed − held-out; seeds {base.first_seed} to "
        f"{base.first_seed + base.seeds - 1} were never used by the study"
    )
    if winner is None:
        lines.append("no trial has a finite interval on the new seeds: nothing is recommended")
    elif winner.trial is None:
        lines.append(
            f"no trial's lower bound beats that of the {BASELINE}, which stays recommended"
        )
    lines.append(f"written: {results.path / TABLE}")
    lines += [f"written: {results.path / PRESET}"] * (winner is not None)
    return "\n".join(lines)


def _plain(
    findings: Sequence[Finding], winner: Finding | None, results: Results, base: Config
) -> dict[str, Any]:
    return {
        "metric": results.objective,
        "seeds": [base.first_seed, base.first_seed + base.seeds - 1],
        "findings": list(_records(findings, winner)),
    }


def _records(findings: Sequence[Finding], winner: Finding | None) -> Iterator[dict[str, Any]]:
    for one in findings:
        optimism, versus = one.optimism, one.versus
        yield {
            "trial": one.trial,
            "claimed_rank": one.claimed_rank,
            "held_out_rank": one.held_rank,
            **_three("claimed", *one.claimed),
            **_three("held_out", *one.held),
            **_three("optimism", *(
                (optimism.difference, optimism.difference_interval) if optimism else (None, None))),
            **_three("improvement", *(
                (versus.improvement, versus.improvement_interval) if versus else (None, None))),
            "seeds": len(one.rows),
            "diverged": sum(row["status"] == "diverged" for row in one.rows),
            "failed": sum(row["status"] == "failed" for row in one.rows),
            "recommended": one is winner,
        }  # fmt: skip


def _three(name: str, value: float | None, ends: tuple[float, float] | None) -> dict[str, Any]:
    low, high = ends or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _write_table(
    path: Path, findings: Sequence[Finding], winner: Finding | None, metric: str
) -> None:
    records = [{"metric": metric, **record} for record in _records(findings, winner)]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def _title(winner: Finding, results: Results, base: Config) -> str:
    value, ends = winner.held
    digits = 2 if results.objective == "collapse" else 1
    name = " ".join((results.path.name or results.path.resolve().name).split())
    who = f"the {BASELINE}" if winner.trial is None else f"trial {winner.trial} of {name}"
    return (
        f"{who}: {TITLES[results.objective]} {spanned(value, ends, digits)} on {base.seeds} seeds "
        "it was not chosen by"
    )


def _at_least(low: int):
    def whole(text: str) -> int:
        number = int(text)
        if number < low:
            raise argparse.ArgumentTypeError(f"must be a whole number >= {low}, met {text}")
        return number

    whole.__name__ = f"whole number >= {low}"  # argparse says it of what is no number
    return whole


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
