"""The benchmark's figures: throughput against size, agent against lanes; as `results.figures`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.measure import Row
from dqn.plotting.png import plain
from dqn.plotting.style import BLUE, GREY, ORANGE, SKY
from dqn.runtime.atomic_write import replacing

_AXES = {
    "lanes": "lanes in a block",
    "batch": "minibatch (transitions)",
    "width": "units in each hidden layer",
}


def draw_scaling(path: Path, rows: Sequence[Row], default_lanes: int, machine: str) -> None:
    """One panel an axis of `rows` ("lanes 16", …): medians and the spread between rounds."""
    names = list(dict.fromkeys(row.name.split()[0] for row in rows))
    figure = Figure(figsize=(4.0 * len(names), 3.8), dpi=130, layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        mine = [row for row in rows if row.name.split()[0] == name]
        sizes = [int(row.name.split()[1]) for row in mine]
        medians = np.array([row.median for row in mine])
        low, high = (np.array([pick(row.values) for row in mine]) for pick in (min, max))
        axes.errorbar(
            sizes, medians, [(medians - low).tolist(), (high - medians).tolist()],
            color=BLUE, ecolor=SKY, marker="o", ms=5, lw=1.8, capsize=2,
        )  # fmt: skip
        axes.set_xscale("log", base=2)
        powers = [size for size in sizes if size & (size - 1) == 0]  # others would touch them
        axes.set_xticks(powers, [str(size) for size in powers], fontsize=8)
        axes.minorticks_off()
        axes.set_xlabel(_AXES[name])
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k")
        if name == "lanes":
            axes.axvline(default_lanes, color=ORANGE, lw=1.4, ls=(0, (5, 3)), zorder=1)
            axes.annotate(
                "default", (default_lanes, 0), (4, 6), textcoords="offset points", fontsize=8
            )
        plain(axes)
    figure.get_axes()[0].set_ylabel("environment steps/s on one core")
    figure.suptitle(f"Lanes on CartPole, learning included · {machine}", x=0.01, ha="left")
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})


def draw_agreement(
    path: Path, samples: Mapping[str, tuple[np.ndarray, np.ndarray]], titles: Mapping[str, str]
) -> None:
    """One panel a setting: mean returns of agent and lanes, by seed; their median and quartiles."""
    figure = Figure(figsize=(4.4 * len(samples), 3.8), dpi=130, layout="constrained")
    generator = np.random.default_rng(0)
    panels = figure.subplots(1, len(samples), squeeze=False)[0]
    for axes, (name, pair) in zip(panels, samples.items(), strict=True):
        for place, (values, colour) in enumerate(zip(pair, (ORANGE, BLUE), strict=True)):
            x = place + generator.uniform(-0.16, 0.16, len(values))
            axes.plot(x, values, "o", color=colour, ms=4.5, alpha=0.7, mew=0)
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            axes.plot([place - 0.3, place + 0.3], [middle] * 2, color=colour, lw=2.4)
            axes.fill_between([place - 0.3, place + 0.3], low, high, color=colour, alpha=0.18, lw=0)
        axes.set_xticks([0, 1], ["DQNAgent", "lanes"])
        axes.set_xlim(-0.6, 1.6)
        axes.set_ylim(bottom=0)
        axes.set_title(f"{name}\n{titles[name]}", loc="left", fontsize=10, color=GREY)
        plain(axes)
    panels[0].set_ylabel("mean return of a training, one point a seed")
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
