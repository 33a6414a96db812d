"""What a command line may set and sweep: overrides looked at before Hydra applies them."""

import functools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString, RangeSweep
from omegaconf import DictConfig, OmegaConf

from dqn.compose.arguments import TEXTS, grammar_text, needs_quotes, quoted, shell_word
from dqn.compose.help_page import CONF, default_groups
from dqn.compose.hydra_private import BasicSweeper, ConfigLoaderImpl
from dqn.config import Config
from dqn.config.config import KEYS, fields_of, refuse_unknown
from dqn.config.familiar import LAUNCHERS, SAMPLERS, advice_on_sweeper
from dqn.config.fields import closest_match, override_text
from dqn.config.values import flag_in, number_in
from dqn.runtime.errors import UserError, must_be, unknown_key

_SEVERAL_OBJECTIVES = "nsgaii nsgaiii motpe nsga2 nsga3 partial_fixed brute_force"
_GROUPS = (
    "launcher", "sweeper", "sweeper/sampler", "sweeper/pruner", "job_logging", "hydra_logging"
)  # fmt: skip
LARGEST_GRID = 100_000  # points; they are all held in memory


def refuse_wrong(override: Override, loader: ConfigLoaderImpl) -> None:
    """Refuse a key or a group's option that does not exist, and to add or remove one that does."""
    key, text = override.key_or_group, override.input_line
    options = options_of(loader, key) if key else []
    if override.is_hydra_override() and not options:
        if override.is_sweep_override():
            raise must_be(key, "one value", text, _one_value(override))
        if "/" in key:
            near = closest_match(key, [f"hydra/{group}" for group in _GROUPS])
            advice = f"did you mean {near}?" if near else f"Hydra has {', '.join(_GROUPS)}"
            raise unknown_key(key, str(text), advice)
        return
    if not options and key not in KEYS and not key.startswith("env.kwargs."):
        refuse_unknown(key, text or key, groups=loader.list_groups(""), value=override.value())
    if override.is_delete():
        raise UserError(f"{key} cannot be removed (in {text}); leave it out for its default", key)
    if override.is_add() and key in {*KEYS, *default_groups()} - {"env.kwargs"}:
        raise UserError(f"{key} exists already (in {text}); write it without the +", key)
    if key in fields_of("run") and override.is_sweep_override():
        raise must_be(key, "the same for all trials", text, _one_value(override))
    if not options:
        return
    if key == "hydra/launcher" and override.value() != "lanes":
        raise must_be(key, "lanes", text, LAUNCHERS)
    listed = override.is_discrete_sweep() and not override.is_range_sweep()
    got = list(override.sweep_iterator()) if listed else override.value()
    for choice in got if isinstance(got, list) else [got]:
        word = override_text(choice)
        if word not in options:
            raise must_be(key, f"one of {', '.join(options)}", word, _advice(key, word, options))


def _advice(group: str, word: str, options: Sequence[str]) -> str:
    """What to write instead of an option that a group does not have."""
    if group == "hydra/sweeper/sampler" and word.lower() in _SEVERAL_OBJECTIVES.split():
        return SAMPLERS
    if near := closest_match(word, options):
        return f"did you mean {group}={near}?"
    if group == "env":
        return "for any other environment write env=gymnasium env.id=ID"
    if word.endswith(".yaml"):
        return f"copy it to {CONF / group} and write {group}= and its name without .yaml"
    return f"write {group}={options[0]}, or leave it out"


def _one_value(override: Override) -> str:
    """What to write instead of several values, which may have been one text with commas."""
    key, text = str(override.key_or_group), str(override.input_line).partition("=")[2]
    if (name := key.removeprefix("hydra.sweeper.params.")) != key:
        return f"write the sweep itself, {name}={text}"
    advice = f"quoted with its comma it is {shell_word(key, text)}"
    if override.is_hydra_override():
        return advice
    return f"write one value; {advice}" if key in TEXTS and "(" not in text else "write one value"


def advice_on_setting(parent: str, last: str, composed: DictConfig) -> str | None:
    """What to write instead of the setting `last` below `parent`, which is not there."""
    node, key = OmegaConf.select(composed, parent), f"{parent}.{last}"
    known = _names(node)
    own, is_study = key.startswith("hydra.sweeper."), "n_trials" in _names(composed.hydra.sweeper)
    if own and (advice := advice_on_sweeper(key.removeprefix("hydra.sweeper."), is_study)):
        return advice
    group = parent.replace(".", "/")  # a sampler's or a pruner's: another option may have it
    files = sorted((CONF / group).glob("*.yaml")) if own and parent != "hydra.sweeper" else []
    if others := [f"{group}={path.stem}" for path in files if last in _settings_in(path)]:
        return f"it belongs to {' or '.join(others)}"
    if near := closest_match(last, known):
        return f"did you mean {parent}.{near}?"
    if not own:
        return _near_setting(key, composed)
    if is_study:
        return f"known are {', '.join(known)}" if known else None
    near = closest_match(last, _settings_in(CONF / "hydra" / "sweeper" / "optuna.yaml"))
    meant = "" if near in ("", last) else f"did you mean {parent}.{near}? "
    return f"{meant}if it belongs to a study, add -m hydra/sweeper=optuna"


def _settings_in(path: Path) -> list[str]:
    """Names of the settings that a file of conf/ has."""
    return re.findall(r"^(\w+):", path.read_text("utf-8"), re.MULTILINE)


def _names(node: object) -> list[str]:
    return [str(name) for name in node] if isinstance(node, DictConfig) else []


def _near_setting(key: str, composed: DictConfig) -> str | None:
    """The setting of Hydra's own that is most like `key`, whichever part of it is wrong."""
    node, words = composed.hydra, key.split(".")[1:]
    for place, word in enumerate(words):
        if word not in _names(node):
            near = closest_match(word, _names(node), 0.7)
            meant = ".".join(["hydra", *words[:place], near, *words[place + 1 :]])
            return near and f"did you mean {meant}?"
        node = node.get(word)
    return None


def refuse_run_keys(base: Config, others: Iterable[tuple[str, Config]]) -> None:
    """Refuse groups that set what must be one for all trials of a sweep, such as the seeds.

    `others` are configurations of the sweep, each with what it is of.
    """
    for what, config in others:
        for key in fields_of("run"):
            one, other = (override_text(getattr(of, key)) for of in (base, config))
            if one != other:
                got = f"{key}={other} for {what} and {key}={one} for the others"
                advice = f"write {key}={one}, or another value, for all of them"
                raise must_be(key, "the same for all trials", got, advice, value=other)


def sweep_texts(params: Any) -> list[str]:
    """`hydra.sweeper.params` as overrides: a list is a choice, `hidden: [64,64]` one value.

    Raises `UserError` for what is no mapping of keys to sweeps.
    """
    if not isinstance(params, Mapping):
        got, example = override_text(params), "'+hydra.sweeper.params.lr=\"1e-3,1e-2\"'"
        rule = "a mapping of keys to sweeps"
        raise must_be("hydra.sweeper.params", rule, got, example=example, value=params)
    return [f"{name}={_sweep_text(str(name), value)}" for name, value in params.items()]


def _sweep_text(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inner = next(iter(value), "KEY")
        example = f"'{name}.{inner}': 'choice(1,2)'"
        rule = "a sweep or a list"
        raise must_be(f"hydra.sweeper.params.{name}", rule, "a mapping", example=example)
    if not isinstance(value, list | tuple):
        return value if isinstance(value, str) else grammar_text(value)
    if name.lstrip("+") == "hidden" and all(isinstance(width, int) for width in value):
        return grammar_text(value)
    texts = [_choice_text(name, item) for item in value]
    # choice() takes no null.
    return ",".join(texts) if "null" in texts else f"choice({','.join(texts)})"


def _choice_text(name: str, item: Any) -> str:
    """One of a list's values; text in quotes, unless its key reads it as a number or a flag."""
    if not isinstance(item, str):
        return grammar_text(item)
    if item.startswith(("[", "{", "${", "'", '"')):
        return item
    is_number = number_in(item) is not None or flag_in(item) is not None
    key = name.lstrip("+")
    return item if is_number and key in KEYS and key not in TEXTS else quoted(item)


def refuse_vast(overrides: Sequence[Override]) -> None:
    """Refuse a grid that would never be written down, before Hydra tries to."""
    size = math.prod(_size(override) for override in overrides if override.is_sweep_override())
    if not size <= LARGEST_GRID:
        raise UserError(
            f"a grid must have at most {LARGEST_GRID:,} trials, got {size:,}; choose fewer values, "
            "or sample them with hydra/sweeper=optuna"
        )


def _size(override: Override) -> float:
    """Values of a sweep, before any is made; infinite where there is no end of them."""
    sweep: Any = override.value()
    if isinstance(sweep, ChoiceSweep):
        return len(sweep.list)
    if not isinstance(sweep, RangeSweep):
        return 1
    start, stop, step = (float(end or 0) for end in (sweep.start, sweep.stop, sweep.step))
    if not (step and math.isfinite(start + stop)):
        return math.inf
    return max(0, math.ceil((stop - start) / step))


@functools.cache
def options_of(loader: ConfigLoaderImpl, group: str) -> list[str]:
    """The options of a group, none of what is no group; Hydra takes 15 ms to tell."""
    return loader.get_group_options(group)


def jobs_of(overrides: Sequence[Override]) -> list[list[str]]:
    """The overrides of every job of a grid, as text."""
    for override in overrides:
        sweep = override.value()
        if isinstance(sweep, ChoiceSweep) and not sweep.simple_form:  # whose text has lost quotes
            for place, item in enumerate(sweep.list):
                if isinstance(item, str) and needs_quotes(item):
                    sweep.list[place] = QuotedString(item, Quote.single)
    return [list(job) for job in BasicSweeper.split_arguments(list(overrides), None)[0]]


def fixed(overrides: Iterable[Override]) -> list[str]:
    """Those that are not swept, as text."""
    return [override.input_line or "" for override in overrides if not override.is_sweep_override()]
