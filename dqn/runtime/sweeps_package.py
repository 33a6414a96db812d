"""The package `sweeps` from `dqn`, which does not import it: only where one is asked for."""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any


def load_sweeps() -> None:
    """Have `sweeps` be the package beside this one, whatever a user's folder has of its name."""
    path = Path(__file__).resolve().parents[2] / "sweeps" / "__init__.py"
    if "sweeps" in sys.modules or not path.exists():
        return
    spec: Any = importlib.util.spec_from_file_location("sweeps", path)
    sys.modules["sweeps"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sweeps"])


def of_sweeps(name: str) -> Any:
    """What `sweeps` exports by this name."""
    load_sweeps()
    return getattr(importlib.import_module("sweeps"), name)
