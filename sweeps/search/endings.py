"""How a trial of a study ended, and how Optuna's storage says so."""

import math
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

OF_END = REASON, SAME_AS, RACED = "reason", "same_as", "raced"  # attributes of a trial: see `End`
FAILED_UNTIL = "failed_until"  # the same: how many trials there were when it was last tried again


@dataclass(frozen=True, slots=True)
class End:
    """How a trial ended."""

    state: TrialState
    value: float | None = None
    reason: str = ""
    """Why it failed."""
    same_as: int | None = None
    """The number of the trial that was trained instead, as it had the same configuration."""
    raced: bool = False
    """Whether a race left it behind: it is complete, but known by less than those which were not.

    In the storage it is a pruned one, so that Optuna's best trial is one with all seeds.
    """

    def agrees(self, other: "End") -> bool:
        """Whether it says the same, but for the words of a reason."""
        one, two = (math.nan if end.value is None else end.value for end in (self, other))
        alike = math.isclose(one, two, rel_tol=1e-9) or self.value is other.value is None
        own, others = ((end.state, end.same_as, end.raced) for end in (self, other))
        return alike and own == others


def end_of(trial: FrozenTrial) -> End:
    """How a trial that is over in the storage ended."""
    notes, value = trial.user_attrs, trial.values[0] if trial.values else None
    raced = bool(notes.get(RACED, False))
    state = TrialState.COMPLETE if raced else trial.state
    return End(state, value, notes.get(REASON, ""), notes.get(SAME_AS), raced)
