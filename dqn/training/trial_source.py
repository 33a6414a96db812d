"""Where trials come from: this alone is different in a run, a grid and a study."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dqn.config import Config
from dqn.statistics.metrics import Metrics
from dqn.storage.columns import Row


@dataclass(frozen=True)
class Trial:
    """One configuration and the seeds to train it with."""

    number: int
    config: Config
    seeds: tuple[int, ...]
    same_as: int | None = None
    """The number of an earlier trial of the same configuration: then nothing is trained."""


class TrialSource(Protocol):
    """Gives trials, follows them, and decides whether they continue.

    Called by the scheduler alone. Trials come in the order of their numbers, also after a resume: a
    trial that is whole on disk is over at once, and its source is called as if it had just been
    trained. What is inherited trains every trial to its end.
    """

    rungs: tuple[float, ...] = ()
    """Fractions of a seed's budget, rising, each in (0, 1), at which `keep_at_rung` is called."""

    total: int
    """Trials there will be in all."""

    def next(self) -> Trial | None:
        """The next trial; None if there is none, or none until another trial is over."""

    def keep_at_rung(self, number: int, rung: int, metrics: Mapping[int, Metrics]) -> bool:
        """Whether to continue a trial all of whose seeds have reached `rungs[rung]`.

        `metrics` has those of every seed given so far, over its episodes up to the rung (the
        whole training of a seed that ended before). Also called when all of them have just ended,
        so that other trials are compared with this one too: it then gets no more seeds.
        """
        return True

    def keep_after_seed(self, number: int, row: Row) -> bool:
        """Whether to continue a trial one of whose seeds has ended with this `row`."""
        return True

    def next_stage_seeds(self, number: int, rows: Sequence[Row]) -> tuple[int, ...]:
        """More seeds of a trial all of whose seeds are over; () ends it. Not called if pruned."""
        return ()

    def on_trial_end(self, number: int, rows: Sequence[Row]) -> None:
        """A trial is over; `rows` has all of its seeds, pruned and failed ones too.

        For a trial that is the same as an earlier one, they are the earlier one's.
        """

    def close(self) -> None:
        """Nothing more will be called."""


class FixedTrials(TrialSource):
    """Trials that are known from the start and all trained to the end: a run or a grid."""

    def __init__(self, trials: Iterable[Trial]):
        known = list(trials)
        self.total, self._waiting = len(known), iter(known)

    def next(self) -> Trial | None:
        """As `TrialSource.next`."""
        return next(self._waiting, None)
