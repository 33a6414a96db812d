"""Samples that train nothing new: configurations that a study has already, or cannot train."""

from dqn.config import Config
from dqn.runtime.errors import UserError
from dqn.storage.identity import identity_of

IN_A_ROW = 20  # samples without anything new to train, one after the other, that end a study


class RepeatedTrials:
    """What the trials of a study were sampled as, in order of their numbers."""

    def __init__(self) -> None:
        self.original: dict[int, int] = {}
        """By number, the trial that another one is the same as."""
        self._first: dict[str, int] = {}  # number by identity
        self._in_a_row: list[str] = []  # of what trained nothing, why: "" where it is a repeat

    @property
    def are_all(self) -> bool:
        """Whether the last `IN_A_ROW` samples gave nothing to train."""
        return len(self._in_a_row) >= IN_A_ROW

    def add(self, number: int, config: Config, is_trained: bool) -> int | None:
        """Take in the next sample; the number of the trial it is the same as, None if of none.

        None also of one that `is_trained`: an earlier version gave it rows of its own, and they
        stay.
        """
        first = self._first.setdefault(identity_of(config), number)
        if first == number or is_trained:
            self._in_a_row.clear()
            return None
        self._in_a_row.append("")
        self.original[number] = first
        return first

    def refuse(self, reason: str) -> None:
        """Take in a sample that `Config` refuses; raises `UserError` where all of late were."""
        self._in_a_row.append(reason)
        if self.are_all and all(self._in_a_row):
            raise UserError(
                f"a space must hold configurations that can be trained, got {IN_A_ROW} in a row "
                f"that cannot, the last: {reason}"
            )
