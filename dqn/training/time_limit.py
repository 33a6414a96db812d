"""A time after which a command trains no more."""

import math
import time

clock = time.monotonic


class TimeLimit:
    """`seconds` from the moment it is made; None: no limit.

    What has not finished by then is dropped, as after Ctrl-C, and trained by the next same command:
    so no result depends on how fast a machine is.
    """

    def __init__(self, seconds: float | None = None):
        self._end = math.inf if seconds is None else clock() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return clock() >= self._end
