"""How throughput grows with lanes, minibatch and width; the default block size is chosen by it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from benchmarks.lanes import FLOOR, FullBlock
from benchmarks.measure import Row, alternate, ratios
from dqn.config import Config
from dqn.training.engine import LANES

AXES: dict[str, tuple[int, ...]] = {
    "lanes": (1, 2, 4, 8, 16, 24, 32, 64, 128, 256),
    "batch": (8, 16, 32, 64, 128, 256),
    "width": (16, 32, 64, 128, 256),
}


def rows(
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
    axes: Mapping[str, Sequence[int]] = AXES,
    base: Config = FLOOR,
) -> list[Row]:
    """Steps a second at each point of each axis, all else as in `base` at the default block size.

    Each point takes turns with the default block, so that two points can be compared though the
    machine has drifted between them: its rates are the ratio times the default block's median.
    """
    default = FullBlock(base)
    measured, yardstick = {}, []
    for axis, sizes in axes.items():
        for size in sizes:
            block = FullBlock(*point(axis, size, base))
            rates = alternate({"block": default.steps, "point": block.steps}, rounds, seconds)
            yardstick += rates["block"]
            measured[axis, size] = ratios(rates["point"], rates["block"])
            progress(f"{axis} {size}: {max(rates['point']):,.0f} steps/s")
    unit = Row("default", yardstick, "steps/s").median
    return [
        Row(f"{axis} {size}", [ratio * unit for ratio in values], "steps/s")
        for (axis, size), values in measured.items()
    ]


def point(axis: str, size: int, base: Config) -> tuple[Config, int]:
    """The configuration and the number of lanes at one point."""
    if axis == "lanes":
        return base, size
    if axis == "batch":
        return replace(base, batch_size=size), LANES
    return replace(base, hidden=(size,) * len(base.hidden)), LANES
