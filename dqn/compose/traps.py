"""Settings under which nothing can be learnt or explored within the budget: a line for each kind.

Only what is certain is said, of the configuration and the time limit of its environment alone; the
training goes ahead.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from dqn.config import Config, EnvConfig
from dqn.runtime.notices import notice

KEYS = (
    "epsilon_start", "epsilon_min", "epsilon_decay", "epsilon_schedule", "exploration_steps",
    "batch_size", "learning_starts", "train_freq", "target_update", "steps", "episodes",
)  # fmt: skip
"""What a trap depends on, the environment apart."""
SCALES = ("lr", "tau", "reward_scale", "huber_delta", "grad_clip")
"""Of these, a trap is to be too small, or of some too large, for a 32-bit number."""
LARGEST = (2 - 2.0**-24) * 2.0**127  # from here on a number is infinite in 32 bits

_AS_GOOD_AS_ZERO = 1e-3  # of epsilon_start, where epsilon_min is 0, which a factor never reaches
_AS_GOOD_AS_START = 0.999
_SMALLEST = 2.0**-149  # of the 32-bit numbers above 0
_DEFAULT = Config()
_shown: set[str] = set()  # kinds that this process has printed a line of

Found = Iterator[tuple[str, str]]
"""Kinds of traps, each with its line."""


def warn_of_traps(
    configs: Sequence[Config],
    limits: Mapping[EnvConfig, int],
    of_all: bool = False,
    unless_warned: bool = False,
) -> None:
    """Print the lines of `warnings_for` on standard error; `limits` are by environment.

    With `unless_warned`, for what ends a command, only where no such line was printed before.
    """
    if unless_warned and _shown:
        return
    found = warnings_for(configs, [limits[config.env] for config in configs], of_all)
    for line in found.values():
        notice(f"warning: {line}")
    _shown.update(found)


def warnings_for(
    configs: Sequence[Config], limits: Sequence[int], of_all: bool = False
) -> dict[str, str]:
    """By kind, one line for each trap that some of `configs` are in, the first of them shown.

    `limits` are the time limits of their environments [steps], 0 for none. With `of_all` only the
    kinds that all of them are in: they are the corners of the space of a study.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for number, (config, limit) in enumerate(zip(configs, limits, strict=True)):
        most = most_steps(config, limit)
        for check in (_floor, _learning, _random, _schedule, _beyond_32_bits):
            for kind, line in check(config, most):
                found.setdefault(kind, []).append((number, line))
    if of_all:
        return {
            kind: f"{got[0][1]} (every trial is like that)"
            for kind, got in found.items()
            if len(got) == len(configs)
        }
    return {kind: _counted(got, len(configs)) for kind, got in found.items()}


def most_steps(config: Config, limit: int) -> float:
    """The environment steps that a training cannot exceed; infinite where nothing bounds them."""
    by_episodes = config.episodes * limit if config.episodes and limit else math.inf
    return min(config.steps or math.inf, by_episodes)


def _counted(got: Sequence[tuple[int, str]], configs: int) -> str:
    (first, line), *others = got
    more = f", and {len(others)} more" if others else ""
    return line if configs == 1 else f"{line} (job {first}{more})"


def _floor(config: Config, most: float) -> Found:
    """ε at its floor before there is a minibatch to learn from."""
    first, actions = 2 * config.batch_size, _actions_to_floor(config)
    if config.epsilon_start <= config.epsilon_min or actions > first:
        return
    key, decay = f"epsilon_decay={config.epsilon_decay}", config.epsilon_decay
    advice = "write less, for example epsilon_decay=0.0005"
    if config.epsilon_schedule == "linear":
        key = f"exploration_steps={config.exploration_steps}"
        advice = "write more, for example exploration_steps=5000"
    elif 0.5 < decay < 1:
        advice = (
            f"epsilon_decay is the share that is lost: for a factor of {decay} per action write "
            f"epsilon_decay={1 - decay:.6g}"
        )
    yield (
        "floor",
        f"{key}: epsilon falls from {config.epsilon_start} to its floor {config.epsilon_min} "
        f"within {actions:,} action{'s' * (actions != 1)}, and the first update is after {first} "
        f"steps; {advice}",
    )


def _actions_to_floor(config: Config) -> float:
    if config.epsilon_schedule == "linear":
        return config.exploration_steps
    if config.epsilon_decay == 1:
        return 1
    floor = max(config.epsilon_min, _AS_GOOD_AS_ZERO * config.epsilon_start)
    if not floor or not config.epsilon_decay:  # of an epsilon_start that is hardly a number
        return math.inf
    actions = math.log(floor / config.epsilon_start) / math.log1p(-config.epsilon_decay)
    return math.ceil(actions) if math.isfinite(actions) else math.inf


def _learning(config: Config, most: float) -> Found:
    """No update within the budget; or none that a moved target network is read by."""
    if not math.isfinite(most):
        return
    every, enough = config.train_freq, max(config.learning_starts, 2 * config.batch_size)
    first, last = -(-enough // every) * every, most // every * every
    bound = f"a training has at most {most:,} steps"
    if first > most:
        yield (
            "update",
            f"no update is ever due: the first would be after {first:,} steps (learning_starts="
            f"{config.learning_starts}, batch_size={config.batch_size}, train_freq={every}), and "
            f"{bound}; lower them, or raise the budget",
        )
    elif config.target_update >= last:
        yield (
            "target",
            f"target_update={config.target_update}: the target network never moves before the "
            f"last update, as {bound}; write less, for example target_update=100",
        )


def _random(config: Config, most: float) -> Found:
    """Actions that stay random to the end though ε is to fall."""
    start, minimum, decay = config.epsilon_start, config.epsilon_min, config.epsilon_decay
    if start < 1 or start <= minimum:
        return
    if config.epsilon_schedule == "linear":
        key = f"exploration_steps={config.exploration_steps}"
        end = start + (minimum - start) * min(most / config.exploration_steps, 1.0)
    else:
        key, end = f"epsilon_decay={decay}", 0.0 if decay else start
        if decay and math.isfinite(most):
            end = start * math.exp(most * math.log1p(-min(decay, 1 - 1e-7)))
    if end >= _AS_GOOD_AS_START:
        yield (
            "random",
            f"{key}: every action of the training is random, as epsilon does not fall from 1 "
            f"towards its floor {minimum} within the budget; write for example "
            "epsilon_decay=0.0005",
        )


def _schedule(config: Config, most: float) -> Found:
    """A number of steps that the schedule does not read."""
    is_default = config.exploration_steps == _DEFAULT.exploration_steps
    if config.epsilon_schedule != "linear" and not is_default:
        yield (
            "schedule",
            f"exploration_steps={config.exploration_steps} has no effect with epsilon_schedule="
            f"{config.epsilon_schedule}; write epsilon_schedule=linear with it, or epsilon_decay=",
        )


def _beyond_32_bits(config: Config, most: float) -> Found:
    """Numbers above 0 that are 0 in 32 bits, and finite ones that are infinite."""
    for name in SCALES:
        value = getattr(config, name)
        if value < _SMALLEST / 2:
            yield name, f"{name}={value:g} is 0 as a 32-bit number: nothing is learnt; write more"
        if value >= LARGEST and name in ("lr", "reward_scale"):
            text = "is infinite as a 32-bit number: every training diverges at its first update"
            yield f"{name} too large", f"{name}={value:g} {text}; write less"
