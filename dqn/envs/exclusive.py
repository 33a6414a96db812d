"""Environments that can exist only once at a time: of a port, a licence, a device, a robot."""

from gymnasium.envs.registration import EnvSpec

from dqn.config import Config, EnvConfig
from dqn.config.fields import AUTO
from dqn.envs import gymnasium_env
from dqn.envs.registry import is_compiled
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
            for one in made:
                one.close()
        _exclusive[env.id] = spec, reason
    return _exclusive[env.id][1] if env.id in _exclusive else ""


def is_exclusive(config: Config) -> bool:
    """Whether trainings of `config` must follow one another in this process: see `exclusive`.

    Raises `UserError` where its keys ask for workers.
    """
    reason = "" if is_compiled(config.env) else exclusive(config.env)
    on_ray = config.fleet == "ray"
    if reason and (on_ray or config.workers not in (AUTO, 0)):
        asked = "fleet=ray" if on_ray else f"workers={config.workers}"
        write = "fleet=processes workers=0" if on_ray else "workers=0"
        raise must_be(
            "workers",
            "0 where an environment can exist only once",
            f"{asked} with env.id={config.env.id} ({reason})",
            f"write {write}: its trainings then follow one another",
            value=config.workers,
        )
    return bool(reason)
