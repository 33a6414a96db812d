"""The part `--sweep`: whole Optuna studies, how idle they are, and what others would take."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Row, on_all_cores
from dqn.runtime.compile_cache import SWITCH
from dqn.runtime.errors import RunError

TRIALS, SEEDS = 100, 10
SPACE = (
    "lr=tag(log,interval(1e-4,1e-2))",
    "gamma=interval(0.9,0.999)",
    "epsilon_decay=tag(log,interval(1e-4,1e-2))",
    "train_freq=range(1,9)",
    "target_update=tag(log,interval(1,1000))",
    "reward_scale=tag(log,interval(0.001,1))",
)
SHAPES = "hidden=choice([32,32],[64,64],[128],[64])"
AT_WORK, AT_WORK_WITH_SHAPES, TWO_OVER_ONE, DRIVER = 90.0, 75.0, 1.8, 5.0
_TIMING = re.compile(
    r"(?P<trainings>[\d,]+) trainings, (?P<steps>[\d,]+) steps in (?P<seconds>[\d,]+) s: "
    r"(?P<speed>[\d,]+) steps/s .*; utilisation (?P<useful>\d+) %"
    r"(?:, compiling (?P<compiling>\d+) %)?, scheduler (?P<driver>[\d.]+) %"
)


class Timing(NamedTuple):
    """What a study says of itself in its last lines."""

    steps: float
    seconds: float
    speed: float
    useful: float
    compiling: float
    driver: float


def rows(
    rounds: int,
    progress: Callable[[str], None],
    speeds: Callable[[], Iterable[tuple[str, float]]],
    trials: int = TRIALS,
) -> list[Row]:
    """Studies on one worker and on two, and on two with several shapes.

    The latter is run with an empty compile cache and again with what that has left.

    `speeds` gives who else could train the same, with environment steps a second on one core.
    """
    about = f"{trials} × {SEEDS}"
    one, two, cold, warm = [], [], [], []
    for i in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            empty = {SWITCH: str(Path(folder) / "cache")}
            for name, workers, space, text, environment in (
                ("two workers", 2, SPACE, two, {}),
                ("one worker", 1, SPACE, one, {}),
                ("four shapes", 2, (*SPACE, SHAPES), cold, empty),
                ("four shapes again", 2, (*SPACE, SHAPES), warm, empty),
            ):
                text.append(_study(Path(folder) / name, workers, space, trials, environment))
                progress(f"round {i + 1} of {rounds}, {name}: {text[-1].seconds:,.0f} s")
    speed = [run.speed for run in two]
    table = [
        Row(f"study of {about}, 2 workers", [run.seconds for run in two], "s"),
        Row("its speed", speed, "steps/s"),
        Row("utilisation", [run.useful for run in two], "%", AT_WORK),
        Row("driver", [run.driver for run in two], "%", DRIVER, at_most=True),
        Row(
            "two workers / one",
            [a.speed / b.speed for a, b in zip(two, one, strict=True)],
            "×",
            TWO_OVER_ONE,
        ),
    ]
    for name, text in (("programs to compile", cold), ("programs in the cache", warm)):
        useful = [run.useful for run in text]
        table += [
            Row(f"utilisation, 4 shapes, {name}", useful, "%", AT_WORK_WITH_SHAPES),
            Row("of their time spent on programs", [run.compiling for run in text], "%"),
        ]
    for who, rate in speeds():
        hours = [run.steps / (2 * rate) / 3600 for run in two]
        table.append(Row(f"the same steps by {who}, 2 processes (estimate)", hours, "h"))
    return table


def _study(
    folder: Path, workers: int, space: Sequence[str], trials: int, environment: Mapping[str, str]
) -> Timing:
    command = [
        *(sys.executable, "-m", "dqn.run", "-m", "hydra/sweeper=optuna"),
        *("hydra/sweeper/sampler=random", f"hydra.sweeper.n_trials={trials}", f"seeds={SEEDS}"),
        *(f"workers={workers}", f"hydra.sweep.dir={folder}", *space),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=on_all_cores,
        env=os.environ | environment,
    )
    message = _TIMING.search(done.stdout)
    if done.returncode or message is None:
        reason = done.stderr[-2000:] or "it was over too soon; ask for more with --trials"
        raise RunError(f"{' '.join(command)} failed: {reason}")
    numbers = {name: float(text.replace(",", "")) for name, text in message.groupdict("0").items()}
    return Timing(*(numbers[name] for name in Timing._fields))
