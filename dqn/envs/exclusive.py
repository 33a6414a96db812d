"""Environments that can exist only once at a time: of a port, a licence, a device, a robot."""

from gymnasium.envs.registration import EnvSpec

from dqn.config import Config, EnvConfig
from dqn.config.fields import AUTO
from dqn.envs import gymnasium_env
from dqn.envs.adapter import Adapter
from dqn.envs.registry import is_compiled
from dqn.envs.registry_errors import describe_error, registration_of
from dqn.runtime.errors import EnvError, UserError

_exclusive: dict[str, tuple[EnvSpec, str]] = {}


def exclusive(env: EnvConfig, look: bool = True) -> str:
    """Why a second environment cannot be while one like `env` is; "" where it can.

    Found out once in a process for each id, by making two; not now, unless `look`.
    """
    spec = registration_of(env.id)
    if look and (env.id not in _exclusive or _exclusive[env.id][0] is not spec):
        size, reason = gymnasium_env.describe(env).observation_size, ""
        first = Adapter(gymnasium_env.make(env), env.id, size)
        try:
            first.reset(seed=0)  # some take hold of what they need only then
            second = Adapter(gymnasium_env.make(env), env.id, size)
            try:
                second.reset(seed=0)
            finally:
                second.close()
        except (UserError, EnvError) as error:
            reason = describe_error(error.__cause__ or error)
        finally:
            first.close()
        _exclusive[env.id] = spec, reason
    return _exclusive[env.id][1] if env.id in _exclusive else ""


def is_exclusive(config: Config) -> bool:
    """Whether trainings of `config` must follow one another in this process: see `exclusive`.

    Raises `UserError` where its keys ask for workers.
    """
    reason = "" if is_compiled(config.env) else exclusive(config.env)
    if not reason:
        return False
    asked = "fleet=ray" if config.fleet == "ray" else f"workers={config.workers}"
    if config.fleet == "ray" or config.workers not in (AUTO, 0):
        write = "fleet=processes workers=0" if config.fleet == "ray" else "workers=0"
        raise UserError(
            f"workers must be 0 where an environment can exist only once, got {asked} with "
            f"env.id={config.env.id} ({reason}); write {write}: its trainings then follow one "
            "another"
        )
    return True
