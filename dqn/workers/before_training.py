"""What is checked before anything is trained, whoever asks: a command line or a program."""

from collections.abc import Sequence

from dqn.compose.traps import warn_of_traps
from dqn.config import Config
from dqn.envs import exclusive, gymnasium_env
from dqn.workers.pool import refuse_workers

_warned: set[Config] = set()  # of which this process has looked for traps


def before_training(
    base: Config,
    configs: Sequence[Config],
    corners: Sequence[Config] | None = None,
    unless_warned: bool = False,
) -> None:
    """Check that `configs` can be trained, by the workers that `base` asks for; name their traps.

    Of a study the traps are looked for at the `corners` of its space. What was looked at before in
    this process is not looked at again. Raises `UserError` for an environment that cannot be made,
    or not by those workers.
    """
    refuse_workers(base, configs)
    envs = dict.fromkeys(config.env for config in (*configs, *(corners or ())))
    limits = {env: gymnasium_env.describe(env).max_episode_steps for env in envs}
    if len(configs) > 1 or base.seeds > 1 or corners is not None:
        for config in configs:
            exclusive.is_exclusive(config)
    if corners is not None:
        warn_of_traps(corners, limits, of_all=True)
    elif not _warned.issuperset(configs):
        warn_of_traps(configs, limits, unless_warned=unless_warned)
        _warned.update(configs)
