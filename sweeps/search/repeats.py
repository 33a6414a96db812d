"""Samples that train nothing new: configurations that a study has already, or cannot train."""

from dqn.config import Config
from dqn.runtime.errors import UserError
from dqn.storage.identity import identity_of

IN_A_ROW = 20
"""Samples without anything new to train, one after the other, that end a study."""


class RepeatedTrials:
    """What the trials of a study were sampled as, in order of their numbers."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}  # number by identity
        self._original: dict[int, int] = {}
        self._refused = 0  # in a row
        self._in_a_row = 0  # those as well

    @property
    def are_all(self) -> bool:
        """Whether the last `IN_A_ROW` samples gave nothing to train."""
        return self._in_a_row >= IN_A_ROW

    def add(self, number: int, config: Config, is_trained: bool) -> int | None:
        """Take in the next sample; the number of the trial it is the same as, None if of none.

        None also of one that `is_trained`: an earlier version gave it rows of its own, and they
        stay.
        """
        self._refused = 0
        first = self._first.setdefault(identity_of(config), number)
        if first == number or is_trained:
            self._in_a_row = 0
            return None
        self._in_a_row += 1
        self._original[number] = first
        return first

    def refuse(self, reason: str) -> None:
        """Take in a sample that `Config` refuses; raises `UserError` where all of late were."""
        self._refused += 1
        self._in_a_row += 1
        if self._refused == IN_A_ROW:
            raise UserError(
                f"a space must hold configurations that can be trained, got {IN_A_ROW} in a row "
                f"that cannot, the last: {reason}"
            )

    def original(self, number: int) -> int | None:
        """The trial that another one is the same as; None if it is one of its own."""
        return self._original.get(number)

    def shortfall(self, trials: int, asked: int) -> str:
        """Why a study ends after fewer `trials` than were `asked` for, in a line; "" if not so."""
        if not (self.are_all and trials < asked):
            return ""
        return (
            f"{IN_A_ROW} samples in a row were configurations that this study has already: it ends "
            f"with {trials} of {asked} trials; for more, search a wider space under another name"
        )
