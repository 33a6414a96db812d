"""What makes two configurations one: they train the same networks, however they were written."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dqn.config import Config
from dqn.config.config import NON_RESULT_KEYS


def identity_of(config: Config) -> str:
    """32 hexadecimal digits, the same for all configurations whose trainings are the same.

    Every key that can change a result counts, `env.kwargs` and `test_episodes` included; which
    seeds, where they are trained and what the folder is called do not. Numbers count by value (10
    is 10.0), mappings without their order.
    """
    left_out = {*NON_RESULT_KEYS, "seeds", "first_seed"}
    mapping = {name: value for name, value in config.to_mapping().items() if name not in left_out}
    return hashlib.sha256(text_of(mapping).encode()).hexdigest()[:32]


def text_of(value: Any) -> str:
    """A value as text that is the same for all ways to write it."""
    return json.dumps(_canonical(value), sort_keys=True, default=repr)


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _canonical(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(part) for part in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"number": repr(float(value)) if abs(value) < 2**53 else repr(value)}
    return value
