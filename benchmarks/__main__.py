"""`python -m benchmarks`: every speed and size that this project states, measured."""

import argparse
import contextlib
import functools
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import capacity, command, sweep
from benchmarks.measure import OF_CORE, Row, on_one_core
from dqn.runtime import machine
from dqn.runtime.exit_codes import exit_code
from dqn.runtime.standard_streams import prepare_streams

PARTS = ("core", "scaling", "peers", "run", "sweep", "driver", "agreement")


def main(arguments: list[str] | None = None) -> int:
    """Measure the parts asked for and print a table of each; the exit status."""
    args = _parser().parse_args(arguments)
    parts = [part for part in PARTS if args.all or getattr(args, part)] or ["core"]
    prepare_streams()
    if args.figure and not {"scaling", "agreement"} & set(parts):
        print(
            "--figure is that of --scaling or of --agreement: ask for one of them", file=sys.stderr
        )
        return 2
    console = Console()
    text = machine.describe()
    results: dict = {"machine": text, "parts": {}}
    console.print(
        f"{text['processor']} · {text['cores']} cores · "
        + " ".join(f"{name} {number}" for name, number in text["versions"].items())
        + f" · {text['date']}"
    )
    for part in parts:
        rows, about = _measured(part, args, text["processor"])
        console.print(_table(part, rows))
        results["parts"][part] = {"rows": [row.to_dict() for row in rows], **about}
        if part == "peers":
            for name, facts in about["peers"].items():
                console.print(f"{name}: {_flat(facts['versions'])}; {_flat(facts['settings'])}")
        if args.json:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def _measured(part: str, args: argparse.Namespace, processor: str) -> tuple[list[Row], dict]:
    """One part's rows, and what else its part of the JSON file holds."""
    if part == "run":  # whole commands, on all cores, and nothing here needs TensorFlow
        return command.rows(args.rounds, _progress), {}
    if part == "driver":
        return capacity.rows(args.rounds, _progress, args.trials), {}
    if part == "sweep":
        rates = functools.partial(_rates_of_others, args.seconds, args.torch_index)
        return sweep.rows(args.rounds, _progress, rates, args.trials), {}
    _load_tensorflow()
    from benchmarks import core, figures, scaling, study, versus
    from dqn.training.engine import LANES

    if part == "core":
        return core.rows(args.rounds, args.seconds, _progress, args.only or OF_CORE), {}
    if part == "peers":
        rows, about = versus.rows(
            args.rounds, args.seconds, _progress, torch_index=args.torch_index
        )
        return rows, {"peers": about}
    if part == "scaling":
        rows = scaling.rows(args.rounds, args.seconds, _progress)
        if args.figure:
            figures.draw_scaling(_path(args.figure, part, args), rows, LANES, processor)
        return rows, {}
    rows, samples, titles = study.rows(args.seeds, _progress)
    if args.figure:
        figures.draw_agreement(_path(args.figure, part, args), samples, titles)
    return rows, {"mean_returns": {k: [v.tolist() for v in pair] for k, pair in samples.items()}}


def _load_tensorflow() -> None:
    on_one_core()
    from dqn.runtime import compile_cache
    from dqn.runtime.tensorflow import import_tensorflow

    compile_cache.prepare()
    import_tensorflow()


def _rates_of_others(seconds: float, torch_index: str | None) -> list[tuple[str, float]]:
    """Environment steps a second on one core of those who do not train in lanes."""
    _load_tensorflow()
    from benchmarks import baselines, peers

    recipe = baselines.exercise_recipe()(seconds)
    python = peers.build(peers.STABLE_BASELINES3, _progress, torch_index)
    running = peers.Running(python, peers.STABLE_BASELINES3, "CartPole-v1", "200")
    with contextlib.closing(running) as stable_baselines3:
        return [
            ("Stable-Baselines3", stable_baselines3.steps(seconds)),
            ("the exercise's recipe", recipe),
        ]


def _path(figure: Path, part: str, args: argparse.Namespace) -> Path:
    """Where a part's figure goes: its name is put in where both parts draw one."""
    figure.parent.mkdir(parents=True, exist_ok=True)
    both = args.all or (args.scaling and args.agreement)
    return figure.with_stem(f"{figure.stem}_{part}") if both else figure


def _table(part: str, rows: list[Row]) -> Table:
    """One row a quantity: its median over rounds, their lowest and highest, and the target."""
    table = Table(title=part, title_justify="left")
    table.add_column("what")
    for heading in ("median", "lowest … highest", "target"):
        table.add_column(heading, justify="right")
    for row in rows:
        sign = "≤" if row.at_most else "≥"
        verdict = {None: "", True: " reached", False: " [bold]missed[/]"}[row.reached]
        table.add_row(
            row.name,
            f"{_number(row.median)} {row.unit}",
            f"{_number(min(row.values))} … {_number(max(row.values))}"
            if len(row.values) > 1
            else "",
            "" if row.target is None else f"{sign} {row.target:g} {row.unit}{verdict}",
        )
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _flat(facts: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _progress(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="DQN's speed on CartPole-v0, learning included: 4-64-64-2, batch 32, an update "
        "every 4 steps, epsilon 0.05; on one core, in turns. Without a part named: core.",
    )
    add = parser.add_argument
    add("--core", action="store_true", help="lanes, their bound, DQNAgent, the recipe, memory")
    add("--scaling", action="store_true", help="lanes by block size, minibatch and width")
    add("--peers", action="store_true", help="Stable-Baselines3 and rejax (installs them once)")
    add("--run", action="store_true", help="whole commands of `python -m dqn.run`, on all cores")
    add("--sweep", action="store_true", help="whole studies: idle lanes, one worker and two")
    add("--driver", action="store_true", help="how many workers one driver can feed")
    add("--agreement", action="store_true", help="does the agent learn as lanes do? a study")
    add("--all", action="store_true", help="every part")
    add("--only", nargs="*", metavar="NAME", choices=OF_CORE, help="of core: "
        + " ".join(OF_CORE))  # fmt: skip
    add("--rounds", type=_at_least_one, default=5, help="turns of each candidate (default: 5)")
    add("--seconds", type=float, default=3.0, help="of a turn, at least (default: 3)")
    add("--seeds", type=_at_least_one, default=30, help="a side of --agreement (default: 30)")
    add("--trials", type=_at_least_one, default=sweep.TRIALS, help="of --sweep and --driver "
        f"(default: {sweep.TRIALS})")  # fmt: skip
    add("--figure", type=Path, metavar="PATH", help="where --scaling or --agreement draws (PNG)")
    add("--json", type=Path, metavar="PATH", help="write every number there too")
    add("--torch-index", metavar="URL", help="of --peers: an extra package index for PyTorch")
    return parser


if __name__ == "__main__":
    sys.exit(exit_code(main))
