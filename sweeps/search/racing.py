"""Racing: of the trials on few seeds, the best share goes on to more."""

import math
from collections.abc import Sequence

from dqn.training.trial_source import Row
from sweeps.analysis.objective import Objective

_LANES = 160  # in training at once, or about to be: ten blocks of 16
_FEWEST, _MOST = 4, 64  # trials open at once
_FEWEST_RIVALS = 4  # trials whose value is known, before a race leaves one behind


class Race:
    """What the trials of a study came to on the seeds of each stage, the first from `first_seed`.

    `stages` are the numbers of seeds, rising; of a study without a race there is one. `keep` is
    the share of trials that goes on from each.
    """

    def __init__(self, stages: Sequence[int], keep: float, first_seed: int, objective: Objective):
        self.stages = tuple(stages)
        self._keep, self._first, self._objective = keep, first_seed, objective
        self._values: list[dict[int, float]] = [{} for _ in self.stages]  # by number

    @property
    def open_trials(self) -> int:
        """How many trials fill the lanes: what is decided by results waits for those below them."""
        usual = sum(self.stages) / len(self.stages)  # seeds of a trial, some of which stop early
        return min(max(math.ceil(_LANES / usual), _FEWEST), _MOST)

    def seeds(self, stage: int) -> tuple[int, ...]:
        """Those that a stage adds."""
        begin = self.stages[stage - 1] if stage else 0
        return tuple(range(self._first + begin, self._first + self.stages[stage]))

    def add(self, number: int, rows: Sequence[Row]) -> None:
        """Take in all rows of a trial that is over."""
        for seeds, values in zip(self.stages, self._values, strict=True):
            own = [row for row in rows if int(row["seed"] or 0) < self._first + seeds]
            if len(own) == seeds and all(row["status"] in ("done", "diverged") for row in own):
                value = self._objective.of_rows(own)
                if math.isfinite(value):
                    values[number] = value

    def goes_on(self, stage: int, value: float, last: int) -> bool:
        """Whether a trial of this `value` is among the best share of itself and those to `last`."""
        rivals = [other for n, other in self._values[stage].items() if n <= last]
        ahead = sum(self._objective.better(rival, value) for rival in rivals)
        best = ahead < max(1, math.ceil(self._keep * (len(rivals) + 1)))
        return math.isfinite(value) and (best or len(rivals) < _FEWEST_RIVALS)
