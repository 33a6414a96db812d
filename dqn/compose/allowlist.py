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
    "logging.StreamHandler", "logging.FileHandler", "logging.NullHandler",
    "logging.handlers.RotatingFileHandler", "logging.Formatter", "colorlog.ColoredFormatter",
}  # fmt: skip
_STREAMS = {"ext://sys.stdout", "ext://sys.stderr"}
_FREE_TEXT = {"filename", "format"}


def refuse_calls(composed: DictConfig) -> None:
    """Raise `UserError` where the node `hydra` of a composed configuration has others called."""
    for name in ("hydra.callbacks", "hydra.job.env_set"):
        if node := _plain(composed, name):
            rule = "empty, as nothing that a configuration names is run"
            raise must_be(name, rule, override_text(node), "leave it out")
    for name in ("hydra.launcher", "hydra.sweeper"):
        node = _plain(composed, name, resolve=True)
        choose = f"choose one with {name.replace('.', '/')}="
        if not isinstance(node, Mapping):
            raise must_be(name, "a mapping with a _target_", override_text(node), choose)
        _refuse_targets(name, node, LAUNCHERS if name == "hydra.launcher" else choose)
    for name in ("hydra.job_logging", "hydra.hydra_logging"):
        for place, last, value in _leaves(name, _plain(composed, name)):
            text, called = str(value), last in ("()", "class")
            allowed = _LOGGING if called else _STREAMS
            named = called or text.startswith("ext://")
            if (named and text not in allowed) or ("${" in text and last not in _FREE_TEXT):
                rule = f"{', '.join(sorted(allowed))} or left out"
                raise must_be(place, rule, override_text(text))


def _refuse_targets(where: str, node: Mapping[str, Any], advice: str) -> None:
    """Hydra makes a node's inner nodes as well, unless it has `_recursive_: false`."""
    for name, last, value in _leaves(where, node):
        if last != "_target_":
            continue
        if name == f"{where}._target_":
            if not str(value).startswith("hydra_plugins."):
                raise must_be(name, "a plug-in of this program", override_text(value), advice)
        elif node.get("_recursive_") is not False:
            rule = f"false where {name} is {override_text(value)}, or Hydra calls that"
            got = override_text(node.get("_recursive_", True))
            raise must_be(f"{where}._recursive_", rule, got, "leave out one of them")


def _plain(composed: DictConfig, name: str, resolve: bool = False) -> Any:
    node: Any = OmegaConf.select(composed, name)
    return OmegaConf.to_container(node, resolve=resolve) if OmegaConf.is_config(node) else node


def _leaves(where: str, node: Any, last: str = "") -> Iterator[tuple[str, str, Any]]:
    """Dotted name, its last part and value of all that is in plain nested values."""
    if isinstance(node, Mapping):
        for name, inner in node.items():
            yield from _leaves(f"{where}.{name}", inner, str(name))
    elif isinstance(node, list):
        for inner in node:
            yield from _leaves(where, inner, last)
    else:
        yield where, last, node
