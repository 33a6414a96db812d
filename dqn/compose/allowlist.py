"""What a configuration may have Hydra and Python's logging call: our plug-ins, and nothing else.

A preset, or a whole `--config-dir`, may be a stranger's. Hydra would call whatever it names as
`_target_`, and `logging.config` what stands behind `()` and `class`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dqn.config.familiar import LAUNCHERS
from dqn.config.fields import override_text
from dqn.runtime.errors import must_be

_LOGGING = {
    "logging.StreamHandler",
    "logging.FileHandler",
    "logging.NullHandler",
    "logging.handlers.RotatingFileHandler",
    "logging.Formatter",
    "colorlog.ColoredFormatter",
}
_STREAMS = {"ext://sys.stdout", "ext://sys.stderr"}
_FREE_TEXT = {"filename", "format"}

Leaf = tuple[str, str, Any]
"""Dotted name, its last part, value."""


def refuse_calls(composed: DictConfig) -> None:
    """Raise `UserError` where the node `hydra` of a composed configuration has others called."""
    hydra = composed.hydra
    for name in ("callbacks", "job.env_set"):
        if OmegaConf.select(hydra, name):
            rule = "empty, as nothing that a configuration names is run"
            raise must_be(f"hydra.{name}", rule, override_text(_plain(hydra, name)), "leave it out")
    for name in ("launcher", "sweeper"):
        if not OmegaConf.is_config(hydra[name]):
            got, rule = override_text(hydra[name]), "a mapping with a _target_"
            raise must_be(f"hydra.{name}", rule, got, f"choose one with hydra/{name}=")
        _refuse_targets(f"hydra.{name}", OmegaConf.to_container(hydra[name], resolve=True))
    for name in ("job_logging", "hydra_logging"):
        for leaf in _leaves(f"hydra.{name}", _plain(hydra, name)):
            _refuse_logging(*leaf)


def _refuse_targets(where: str, node: Any) -> None:
    """Hydra makes a node's inner nodes as well, unless it has `_recursive_: false`."""
    for name, last, value in _leaves(where, node):
        own = name == f"{where}._target_"
        if last != "_target_" or (own and str(value).startswith("hydra_plugins.")):
            continue
        if own:
            advice = f"choose one with {where.replace('.', '/')}="
            advice = LAUNCHERS if where == "hydra.launcher" else advice
            raise must_be(name, "a plug-in of this program", override_text(value), advice)
        if node.get("_recursive_") is not False:
            rule = f"false where {name} is {override_text(value)}, or Hydra calls that"
            got = override_text(node.get("_recursive_", True))
            raise must_be(f"{where}._recursive_", rule, got, "leave out one of them")


def _refuse_logging(name: str, last: str, value: Any) -> None:
    text = str(value)
    allowed = _LOGGING if last in ("()", "class") else _STREAMS
    named = last in ("()", "class") or text.startswith("ext://")
    if (named and text not in allowed) or ("${" in text and last not in _FREE_TEXT):
        raise must_be(name, f"{', '.join(sorted(allowed))} or left out", override_text(value))


def _plain(node: DictConfig, name: str) -> Any:
    selected: Any = OmegaConf.select(node, name)
    if not OmegaConf.is_config(selected):
        return selected
    return OmegaConf.to_container(selected, resolve=False)


def _leaves(where: str, node: Any, last: str = "") -> Iterator[Leaf]:
    if isinstance(node, Mapping):
        for name, inner in node.items():
            yield from _leaves(f"{where}.{name}", inner, str(name))
    elif isinstance(node, list):
        for inner in node:
            yield from _leaves(where, inner, last)
    else:
        yield where, last, node
