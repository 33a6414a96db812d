"""When two Keras models can share one traced program: a text for each that says all of it.

What a trace depends on is the computation. Weights, optimizer state and learning rate are its
variables; initial values, seeds and names leave no mark on it.
"""

import json
from typing import Any

from dqn.agents.keras.backend import keras

# Keras' own classes do what their configuration says; of a caller's class or function it says the
# name alone.
_MODULES = {
    "keras",
    "keras.constraints",
    "keras.layers",
    "keras.optimizers",
    "keras.optimizers.schedules",
    "keras.regularizers",
    "keras.src.models.functional",
}
_NAMING = {"name", "keras_history", "input_layers", "output_layers"}


class _NotShareableError(Exception):
    """A part of a model that its configuration does not describe in full."""


def key_of(model) -> str | None:
    """A text that is equal for two compiled models only if one trace serves both; None: no telling.

    It does not see what a trace captures beside the variables of model and optimizer.
    """
    if type(model).__module__.partition(".")[0] != "keras":
        return None
    try:
        optimizer: Any = keras.saving.serialize_keras_object(model.optimizer)
        if isinstance(optimizer["config"].get("learning_rate"), float):
            del optimizer["config"]["learning_rate"]  # it is one of the optimizer's variables
        if optimizer["config"].get("weight_decay"):
            return None  # no configuration says which variables are spared
        described = [type(model).__name__, model.get_config(), optimizer]
        return json.dumps(_canonical(described, {}))
    except (NotImplementedError, TypeError, _NotShareableError):
        return None


def _canonical(node, names: dict[str, int], naming: bool = False):
    """A configuration with names replaced by their order, without seeds and initial values."""
    if isinstance(node, list | tuple):
        return [_canonical(part, names, naming) for part in node]
    if isinstance(node, str) and naming:
        return names.setdefault(node, len(names))
    if not isinstance(node, dict):
        return node
    if "class_name" in node:
        if not _is_shareable(node["class_name"], node.get("module") or ""):
            raise _NotShareableError
        if node["class_name"] == "DTypePolicy":  # the one name that means something
            return node
    return {
        key: _canonical(value, names, key in _NAMING)
        for key, value in node.items()
        if key != "seed" and not key.endswith("_initializer")
    }


def _is_shareable(class_name: str, module: str) -> bool:
    is_operation = module.startswith("keras.src.ops.")
    return class_name == "__keras_tensor__" or module in _MODULES or is_operation
