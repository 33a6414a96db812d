"""The environments of a block of lanes: as many as the lanes need, or as many as can exist."""

import math

import numpy as np

from dqn.config import EnvConfig
from dqn.envs import gymnasium_env
from dqn.envs.adapter import Adapter
from dqn.runtime.errors import EnvError, UserError


class Environments:
    """Environments like `env`, by the number of their lane; below 0 further ones, for tests alone.

    Some can exist only so many times: of licences, ports, devices. `try_for` and `further` do
    without what cannot be made while others exist, and ask again only once one of those is gone.
    """

    def __init__(self, env: EnvConfig):
        self.made: dict[int, Adapter] = {}
        self.begun: dict[int, np.ndarray] = {}
        """What `try_for` reset, by lane: the first observation [D]."""
        self._env = env
        self._most = math.inf  # how many can exist at once, as far as is known

    def of(self, i: int) -> Adapter:
        """Lane `i`'s environment, made when it is first needed; raises `EnvError`."""
        if i not in self.made:
            try:
                self.made[i] = gymnasium_env.adapted(self._env)
            except UserError as error:
                raise EnvError(self._env.id, "the constructor", f"failed: {error}") from error
        return self.made[i]

    def try_for(self, i: int, seed: int, elsewhere: bool) -> bool:
        """Whether lane `i` has an environment now; not where others have all that can exist.

        Others are those of other lanes here, and with `elsewhere` those of other blocks. Where
        there are none, it says yes: whoever uses it then hears what is wrong. A new one is reset
        with `seed`: some take hold of what they need only then.
        """
        if i in self.made or self._can_make(i, seed):
            return True
        if not (self.made or elsewhere):
            self._most = math.inf
            return True
        spare = next((j for j in self.made if j < 0), None)
        if spare is not None:
            self.made[i] = self.made.pop(spare)
        return spare is not None

    def further(self, most: int, seed: int) -> list[int]:
        """The numbers of at most so many further ones, each reset with `seed` once it is made."""
        numbers = []
        for j in range(-1, -most - 1, -1):
            if j not in self.made and not self._can_make(j, seed):
                break
            self.begun.pop(j, None)
            numbers.append(j)
        return numbers

    def give_back(self) -> None:
        """Let go of further ones where only so many can exist: others may wait for them."""
        if self._most < math.inf:
            for j in [j for j in self.made if j < 0]:
                self.let_go(j)

    def let_go(self, i: int) -> None:
        """Close lane `i`'s environment, if it has one."""
        self.begun.pop(i, None)
        if (env := self.made.pop(i, None)) is not None:
            env.close()

    def _can_make(self, i: int, seed: int) -> bool:
        if len(self.made) < self._most:
            try:
                self.begun[i] = self.of(i).reset(seed)
                return True
            except EnvError:
                self.let_go(i)
                self._most = len(self.made)
        return False
