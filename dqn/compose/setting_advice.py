"""What to write instead of a setting below `hydra.` that is not there."""

import re

from omegaconf import DictConfig, OmegaConf

from dqn.compose.help_page import CONF
from dqn.config.familiar import advice_on_sweeper
from dqn.config.fields import closest_match

_STUDY = CONF / "hydra" / "sweeper" / "optuna.yaml"


def advice_on_setting(parent: str, last: str, composed: DictConfig) -> str | None:
    """What to write instead of the setting `last` below `parent`, which is not there."""
    node, key = OmegaConf.select(composed, parent), f"{parent}.{last}"
    known = [str(name) for name in node] if isinstance(node, DictConfig) else []
    own = key.startswith("hydra.sweeper.")
    sweeper = composed.hydra.sweeper
    is_study = isinstance(sweeper, DictConfig) and "n_trials" in sweeper
    if own and (advice := advice_on_sweeper(key.removeprefix("hydra.sweeper."), is_study)):
        return advice
    if others := _of_another_file(parent, last):
        return f"it belongs to {' or '.join(others)}"
    if near := closest_match(last, known):
        return f"did you mean {parent}.{near}?"
    if not own:
        return _near_setting(key, composed)
    if is_study:
        return f"known are {', '.join(known)}" if known else None
    near = closest_match(last, re.findall(r"^(\w+):", _STUDY.read_text("utf-8"), re.MULTILINE))
    meant = "" if near in ("", last) else f"did you mean {parent}.{near}? "
    return f"{meant}if it belongs to a study, add -m hydra/sweeper=optuna"


def _of_another_file(parent: str, last: str) -> list[str]:
    """The options of the group `parent`, a sampler's or a pruner's, that have the setting `last`.

    None of what is no such group.
    """
    folder = CONF / parent.replace(".", "/")
    if not parent.startswith("hydra.sweeper.") or not folder.is_dir():
        return []
    return [
        f"{parent.replace('.', '/')}={path.stem}"
        for path in sorted(folder.glob("*.yaml"))
        if re.search(rf"^{re.escape(last)}:", path.read_text("utf-8"), re.MULTILINE)
    ]


def _near_setting(key: str, composed: DictConfig) -> str | None:
    """The setting of Hydra's own that is most like `key`, whichever part of it is wrong."""
    node, words = composed.hydra, key.split(".")[1:]
    for place, word in enumerate(words):
        names = [str(name) for name in node] if isinstance(node, DictConfig) else []
        if word not in names:
            near = closest_match(word, names, 0.7)
            meant = ".".join(["hydra", *words[:place], near, *words[place + 1 :]])
            return near and f"did you mean {meant}?"
        node = node.get(word)
    return None
