"""The figures of a sweep, in axes of Matplotlib."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes

from dqn.plotting.png import draw_in
from dqn.runtime.errors import UserError, must_be
from dqn.trained.python_calls import python_call
from sweeps.analysis.candidates import Candidate
from sweeps.report import hyperparameter_figures
from sweeps.report.data import ReportData
from sweeps.report.figures import compared_curves, profiles

if TYPE_CHECKING:
    from sweeps.trained.sweep import Sweep


class SweepPlots:
    """`sweep.plot`: each method draws in `ax`, by default in new axes, and gives these back."""

    def __init__(self, sweep: "Sweep"):
        self._sweep = sweep

    def curves(self, ax: Axes | None = None, *, top: int = 3) -> Axes:
        """Learning curves of the `top` best trials, with their intervals."""
        return draw_in(compared_curves(self._leaders(top)), ax)

    def profiles(self, ax: Axes | None = None, *, top: int = 3) -> Axes:
        """Of the `top` best trials the share of seeds above each value of the objective."""
        return draw_in(profiles(self._leaders(top), self._sweep.objective), ax)

    def importance(self, ax: Axes | None = None) -> Axes:
        """How much each hyperparameter matters, beside chance; of few trials, its effect."""
        return self._draw(hyperparameter_figures.importance, ax)

    def influence(self, key: str, ax: Axes | None = None) -> Axes:
        """The objective where a hyperparameter has its values, with intervals."""
        data = self._sweep.report_data()
        found = {one.name: one for one in data.hyperparameters}
        if key not in found:
            raise must_be("key", f"one that was varied: {', '.join(found)}", key)
        return self._draw(lambda data: hyperparameter_figures.influence(data, found[key]), ax)

    def _draw(self, make: Callable[[ReportData], Any], ax: Axes | None) -> Axes:
        with python_call():
            figure = make(self._sweep.report_data())
        if figure is None:
            raise UserError(f"{self._sweep.path}: its trials do not differ enough to draw this")
        return draw_in(figure.plot, ax)

    def _leaders(self, top: int) -> list[Candidate]:
        results, trials = self._sweep.results, self._sweep.trials
        own = trials[trials["same_as"].isna()]["trial"].head(top)
        if own.empty:
            raise UserError(f"{results.path}: no training has ended yet; let it go on")
        return [Candidate(f"trial {n}", results, int(n)) for n in own]

    def __repr__(self) -> str:
        methods = ".curves(), .profiles(), .importance(), .influence(key)"
        return f"figures of {self._sweep.name}: {methods}"
