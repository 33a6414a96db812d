"""What to write instead of a setting below `hydra.` that is not there."""

import re
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from dqn.compose.help_page import CONF
from dqn.config.familiar import advice_on_sweeper
from dqn.config.fields import closest_match


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
