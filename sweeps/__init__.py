"""What to run, and what it says: studies over many configurations of `dqn`.

The names a notebook needs are here; each is imported when it is first used.
"""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

import dqn  # noqa: F401 - which names the new path of a module that moved

if TYPE_CHECKING:
    from sweeps.api import compare, grid, tune
    from sweeps.search.intervals import log, uniform
    from sweeps.trained.sweep import Sweep

# Optuna's import says so in a notebook; its bars are never shown here.
warnings.filterwarnings("ignore", "IProgress not found")

_HOMES = {
    "Sweep": "sweeps.trained.sweep",
    "compare": "sweeps.api",
    "grid": "sweeps.api",
    "log": "sweeps.search.intervals",
    "tune": "sweeps.api",
    "uniform": "sweeps.search.intervals",
}
__all__ = ["Sweep", "compare", "grid", "log", "tune", "uniform"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
