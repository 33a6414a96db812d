"""The figures of a report: each as a chart for the page and as a PNG in `figures/`."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from dqn.config.config import KEYS, key_of
from dqn.runtime.atomic_write import own_folder
from dqn.statistics.formatting import count
from dqn.statistics.metrics import METRICS
from dqn.storage.layout import MADE_BY, refuse_other
from dqn.storage.trials import named
from sweeps.analysis.frames import of_pair, points
from sweeps.analysis.hyperparameters import Hyperparameter
from sweeps.analysis.learning_curves import by_value, of_trial
from sweeps.analysis.objective import objective_of
from sweeps.analysis.tables import COLLAPSED, solved_return
from sweeps.analysis.validation import statistic_name
from sweeps.report import plotly_figures, png_figures
from sweeps.report.data import ReportData, failing
from sweeps.report.headline import best_and_worst
from sweeps.report.page import Picture

FOLDER, PAGE = "figures", "report.html"
_COLOURS = 64

Drawn = dict[str, Picture]
"""By name, without those there is nothing to draw of."""


class ReportFigures:
    """Draws the figures of `data` into `folder`; may raise `OSError`.

    `report` hears of each before it is drawn.
    """

    def __init__(
        self,
        data: ReportData,
        folder: Path,
        tell: Callable[[str], None] = lambda figure: None,
    ):
        self._evidence, self._tables = data, data.tables
        self._tell = tell
        self._folder = folder
        self._threshold = solved_return(data.tables.results.base.env)
        # An earlier report drew what is there; before one, what is not marked is the user's.
        self._is_again = (data.tables.results.path / PAGE).exists()
        self.drawn: Drawn = {}

    def draw(self) -> Drawn:
        """All of them."""
        own_folder(self._folder)
        self._best()
        if self._tables.hyperparameters and self._tables.counted.shape[0] > 1:
            self._together()
            for hyperparameter in self._evidence.hyperparameters:
                self._of_hyperparameter(hyperparameter)
        self._held_out()
        self._wrong()
        return self.drawn

    def _best(self) -> None:
        trial = self._evidence.best
        curves = self._evidence.curves
        if curves is None or (frame := of_trial(curves, trial)).empty:
            return
        seeds = len(curves.of[trial])
        title = "Returns" if self._tables.design == "run" else f"Returns of {named(trial)}"
        self._add(
            "best_curve", title,
            f"Mean of 10 episodes; IQM of {count(seeds, 'seed')} with its 95 % interval.",
            plotly_figures.learning(frame, curves.unit, self._threshold),
            lambda path: png_figures.learning(path, frame, curves.unit, self._threshold, title),
        )  # fmt: skip

    def _together(self) -> None:
        data, tables = self._evidence, self._tables
        ranking = data.importance
        frame = data.effects.dropna() if ranking is None else ranking
        if len(frame):
            self._add(
                "importance", "Which hyperparameters matter", data.method,
                plotly_figures.bars(frame, tables.metric),
                lambda path: png_figures.bars(path, frame, tables.metric),
            )  # fmt: skip
        if len(tables.hyperparameters) < 2 or tables.design == "one at a time":
            return
        self._add(
            "axes", "Where the best trials are",
            "A line is a trial, an axis a hyperparameter. Where the thick lines gather, good "
            "values are.",
            plotly_figures.axes(tables), lambda path: png_figures.axes(path, tables),
            wide=len(tables.hyperparameters) > 3,
        )  # fmt: skip
        first, second = data.hyperparameters[:2]
        cells = of_pair(tables, first, second)
        names = first.name, second.name
        self._add(
            "pair", f"{first.name} and {second.name} together",
            "The two hyperparameters that matter most: IQM of the "
            f"{METRICS[tables.metric].title} of the trials in a cell. Cells of few trials are "
            "uncertain.",
            plotly_figures.pair(cells, names, tables.metric),
            lambda path: png_figures.pair(path, cells, names, tables.metric),
        )  # fmt: skip

    def _of_hyperparameter(self, hyperparameter: Hyperparameter) -> None:
        tables, curves = self._tables, self._evidence.curves
        frame = self._evidence.by_hyperparameter[hyperparameter.name]
        self._add(
            f"influence_{_file_name(hyperparameter)}", _named(hyperparameter),
            self._influence_caption(hyperparameter),
            plotly_figures.influence(tables, hyperparameter, frame),
            lambda path: png_figures.influence(path, tables, hyperparameter, frame),
        )  # fmt: skip
        if curves is None or (by := by_value(curves, tables, hyperparameter)).empty:
            return
        title = f"Learning by {hyperparameter.name}"
        reached = self._threshold  # a line that no curve comes near would only press them flat
        if reached is not None and not np.any(by[["value", "high"]].to_numpy(float) >= reached):
            reached = None
        self._add(
            f"curves_{_file_name(hyperparameter)}", title,
            "IQM of the mean of 10 episodes, with its 95 % interval over "
            f"{'trials' if tables.design == 'sampled' else 'trainings'}.",
            plotly_figures.learning(by, curves.unit, reached),
            lambda path: png_figures.learning(path, by, curves.unit, reached, title),
        )  # fmt: skip

    def _influence_caption(self, hyperparameter: Hyperparameter) -> str:
        tables = self._tables
        text = [
            best_and_worst(
                self._evidence.by_hyperparameter[hyperparameter.name],
                hyperparameter.name,
                tables.metric,
            )
        ]
        lost = int(np.count_nonzero(np.isinf(tables.counted["value"])))
        if lost:
            text.append(
                f"{count(lost, 'trial')} without a finite value: not drawn, counted as worst."
            )
        drawn = len(points(tables, hyperparameter))
        if drawn < len(tables.trials) - lost and tables.design != "one at a time":
            text.append(f"{drawn:,} of {len(tables.trials):,} trials drawn; intervals use all.")
        return " ".join(text)

    def _held_out(self) -> None:
        findings, metric = self._evidence.findings, self._tables.metric
        statistic = statistic_name(objective_of(self._tables.results))
        if findings:
            self._add(
                "validation", "Claimed and held",
                "What each trial claimed on the seeds it was chosen by, and what it reached on new "
                f"ones: the {statistic} of the {METRICS[metric].title} over seeds, with its 95 % "
                "interval. The exercise's settings, trained on the same new seeds, claim nothing.",
                plotly_figures.held_out(findings, metric),
                lambda path: png_figures.held_out(path, findings, metric, statistic),
            )  # fmt: skip

    def _wrong(self) -> None:
        frame = failing(self._evidence)
        if len(frame):
            self._add(
                "failures", "What goes wrong, and where",
                f"Collapsed: lost more than {COLLAPSED:.0%} of its best by the end. Shown are the "
                "hyperparameters that matter most.",
                plotly_figures.failures(frame), lambda path: png_figures.failures(path, frame),
            )  # fmt: skip
        tables = self._tables
        if "pruned" in set(tables.trials["status"]):
            self._add(
                "pruned", "Pruned trials",
                "How far each trial was trained, and what it had come to by then.",
                plotly_figures.pruned(tables), lambda path: png_figures.pruned(path, tables),
            )  # fmt: skip

    def _add(
        self, name: str, title: str, caption: str, chart: go.Figure, still: Callable[[Path], None],
        wide: bool = False,
    ) -> None:  # fmt: skip
        self._tell(f"figure {len(self.drawn) + 1}: {name}.png")
        path = self._folder / f"{name}.png"
        if not self._is_again:
            refuse_other(path, MADE_BY.encode())
        still(path)
        self.drawn[name] = Picture(name, title, caption, str(chart.to_json()), _small(path), wide)


def influence_of(drawn: Drawn, hyperparameter: Hyperparameter) -> list[Picture]:
    """The figures of one hyperparameter."""
    names = (f"{kind}_{_file_name(hyperparameter)}" for kind in ("influence", "curves"))
    return [drawn[name] for name in names if name in drawn]


def _named(hyperparameter: Hyperparameter) -> str:
    """A hyperparameter and what it is."""
    about = key_of(KEYS[hyperparameter.name]).meaning if hyperparameter.name in KEYS else ""
    return f"{hyperparameter.name}: {about}" if about else hyperparameter.name


def _small(path: Path) -> bytes:
    """A PNG in a third of its bytes: few colours are enough for what is printed from the page."""
    small = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").quantize(_COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


def _file_name(hyperparameter: Hyperparameter) -> str:
    return re.sub(r"[^\w.-]", "_", hyperparameter.name)
