"""`python -m sweeps validate`: whether what a study claims holds on seeds that it never used.

A study's best trial is the best of many on the same few seeds, so part of its lead is luck (the
winner's curse). Seeds it was not chosen by tell which part.
"""

import argparse
import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dqn.config import INT_BOUND, Config
from dqn.errors import RunError, UserError
from dqn.results import composed
from dqn.results.reading import Results, read
from dqn.status import INTERRUPTED
from sweeps.compare import changes
from sweeps.findings import PRESET, TABLE, best_bound, findings_of, plain, title, told, write_table

FOLDER = "validation"
EXAMPLES = """\
examples
  python -m sweeps validate outputs/sweeps/a                        the 5 best, on 50 new seeds
  python -m sweeps validate outputs/sweeps/a --seeds 100            adds 50 seeds to these
  python -m sweeps validate outputs/sweeps/b --top 10 --json        again: goes on where it stopped
"""


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
    findings = findings_of(results, chosen, _held(path, base))
    winner = best_bound(findings, results.objective)
    try:
        write_table(args.folder / TABLE, findings, winner, results.objective)
        if winner is not None:
            config = configs[0 if winner.trial is None else chosen.index(winner.trial) + 1]
            composed.write_preset(args.folder / PRESET, config, title(winner, results, base))
    except OSError as error:
        raise RunError(f"{args.folder}: writing failed ({error.strerror or error})") from error
    text = told(findings, winner, results, base)
    return status, text, plain(findings, winner, results, base)


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
