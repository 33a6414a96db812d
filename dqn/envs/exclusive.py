"""Environments that can exist only once, or only so many times: of ports, licences, devices."""

import math

import numpy as np
from gymnasium.envs.registration import EnvSpec

from dqn.config import Config, EnvConfig
from dqn.config.fields import AUTO
from dqn.envs import gymnasium_env, is_compiled
from dqn.envs.adapter import Adapter
from dqn.envs.registry_errors import describe_error, registration_of
from dqn.runtime.errors import EnvError, UserError, must_be

_exclusive: dict[str, tuple[EnvSpec, str]] = {}


def exclusive(env: EnvConfig, look: bool = True) -> str:
    """Why a second environment cannot be while one like `env` is; "" where it can.

    Found out once in a process for each id, by making two; not now, unless `look`.
    """
    spec = registration_of(env.id)
    if look and (env.id not in _exclusive or _exclusive[env.id][0] is not spec):
        reason, made = "", [gymnasium_env.adapted(env)]
        try:
            made[0].reset(seed=0)  # some take hold of what they need only then
            made.append(gymnasium_env.adapted(env))
            made[1].reset(seed=0)
        except (UserError, EnvError) as error:
            reason = describe_error(error.__cause__ or error)
        finally:
            for env_made in made:
                env_made.close()
        _exclusive[env.id] = spec, reason
    return _exclusive[env.id][1] if env.id in _exclusive else ""


def asked_workers(config: Config) -> str:
    """What of a configuration asks for workers, as KEY=VALUE; "" where nothing does."""
    if config.fleet == "ray":
        return "fleet=ray"
    return "" if config.workers in (AUTO, 0) else f"workers={config.workers}"


def is_exclusive(config: Config) -> bool:
    """Whether trainings of `config` must follow one another in this process: see `exclusive`.

    Raises `UserError` where its keys ask for workers.
    """
    reason = "" if is_compiled(config.env) else exclusive(config.env)
    if reason and (asked := asked_workers(config)):
        write = "fleet=processes workers=0" if asked == "fleet=ray" else "workers=0"
        raise must_be(
            "workers",
            "0 where an environment can exist only once",
            f"{asked} with env.id={config.env.id} ({reason})",
            f"write {write}: its trainings then follow one another",
            value=config.workers,
        )
    return bool(reason)


class Environments:
    """Environments like `env`, by the number of their lane; below 0 further ones, for tests alone.

    What cannot be made while others exist is asked for again only once one of those is gone.
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

        Others are those of other lanes here, and with `elsewhere` of other blocks. Where there are
        none, it says yes: whoever uses it then hears what is wrong. A new one is reset with `seed`.
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
