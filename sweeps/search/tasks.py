"""What the groups of a space bring with them: the tasks of a study, and keys that must not vary."""

import contextlib
import itertools
import math
from collections.abc import Sequence

from dqn.config import Config
from dqn.config.config import KEYS
from dqn.runtime.errors import UserError
from sweeps.search.samplers import sampling
from sweeps.search.settings import Settings
from sweeps.search.space import Compose, Space, Value, overrides_of, points_of

_FEW = 32  # configurations to compose at the start: 80 ms each


def alternatives(space: Space, compose: Compose) -> list[tuple[list[str], Config]]:
    """What the groups and environments in `space` can make of a configuration, and with what.

    All of their combinations, or where those are many each option by itself. What cannot be
    composed by itself is tried with the least and the most of all else that is searched; what is
    then refused too is left out.
    """
    groups = {
        name: points_of(distribution)
        for name, distribution in space.items()
        if name == "env.id" or not (name in KEYS or name.startswith("env.kwargs."))
    }
    combined: list[dict[str, Value]]
    if math.prod(map(len, groups.values())) <= _FEW:
        combined = [
            dict(zip(groups, one, strict=True)) for one in itertools.product(*groups.values())
        ]
    else:
        combined = [{name: option} for name, options in groups.items() for option in options]
    others = {n: points_of(of) or [of.low, of.high] for n, of in space.items() if n not in groups}  # pyright: ignore[reportAttributeAccessIssue]
    rest = [{}, *({name: ends[end] for name, ends in others.items()} for end in (0, -1))]
    found = []
    for params in combined if groups else []:
        for more in rest:
            with contextlib.suppress(UserError):  # as a trial it fails, and says why
                found.append((overrides_of(params), compose({**params, **more})))
                break
    return found


def refuse_tasks(
    settings: Settings, space: Space, base: Config, found: Sequence[tuple[list[str], Config]]
) -> None:
    """Refuse several tasks where what is decided goes by returns, which compare within one."""
    tasks = list(dict.fromkeys(config.env.id for _, config in found))
    if len(tasks) < 2:
        return
    sampler = settings.sampler["_target_"].rpartition(".")[2]
    pruner = settings.pruner["_target_"].rpartition(".")[2]
    compared = [
        *[f"the sampler {sampler}"] * sampling(settings.sampler, space, base, 0).learns,
        *["hydra.sweeper.racing"] * (len(settings.racing or ()) > 1),
        *[f"the pruner {pruner}"] * (pruner != "NopPruner"),
    ]
    if compared:
        raise UserError(
            f"a study must be of one task for {' and '.join(compared)}, as returns of two tasks do "
            f"not compare, got {', '.join(tasks)}; write hydra/sweeper/sampler=random or grid "
            f"without racing and pruner, or search one task at a time"
        )
    if settings.validate is not None:
        raise UserError(
            f"hydra.sweeper.validate must be null in a study of several tasks, got "
            f"{', '.join(tasks)}; write hydra.sweeper.validate=null"
        )
