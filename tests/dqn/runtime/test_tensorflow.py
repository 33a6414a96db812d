"""TensorFlow and Keras as this program needs them, whatever the machine's user has set up."""

import json
import sys
from types import SimpleNamespace
from unittest import mock

import pytest
from commands import python

from dqn.runtime import tensorflow
from dqn.runtime.errors import UserError

MODELS = """
from pathlib import Path
import gymnasium
from dqn import DQNAgent, create_model
from dqn.agents.networks.mlp import MLP
from dqn.plotting import episode_recorder as recorder
agent = DQNAgent(gymnasium.make("CartPole-v1"), create_model, seed=0)
kept = agent.model if hasattr(agent, "model") else agent._pair.model
recorder.save_model(Path("model.keras"), MLP(4, (64, 64), "relu", 2), kept.get_weights())
import keras
loaded = keras.models.load_model("model.keras")
dtypes = [str(w.dtype) for w in kept.get_weights()] + [x.dtype_policy.name for x in loaded.layers]
print(keras.config.backend(), *sorted(set(dtypes)))
"""
WRONG = {
    "a half": json.dumps({"floatx": "float16", "backend": "jax", "epsilon": 1e-3}),
    "unknown": json.dumps({"floatx": "bfloat16", "backend": "torch"}),
    "no mapping": "[]",
    "damaged": '{"floatx": ',
    "unreadable": None,
}


def made(tmp_path, home, **environment):
    (tmp_path / "here").mkdir(exist_ok=True)
    environment |= {"KERAS_HOME": str(home)}
    return python("-c", MODELS, env=environment, cwd=tmp_path / "here")


def home_with(tmp_path, text):
    home = tmp_path / "home"
    home.mkdir()
    if text is None:
        (home / "keras.json").mkdir()
    else:
        (home / "keras.json").write_text(text)
    return home


@pytest.mark.parametrize(
    "name", ["a half", *(pytest.param(n, marks=pytest.mark.slow) for n in list(WRONG)[1:])]
)
def test_agent_and_network_are_tensorflows_whatever_keras_is_set_up_for(tmp_path, name):
    home = home_with(tmp_path, WRONG[name])
    done = made(tmp_path, home, KERAS_BACKEND="torch")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["tensorflow", "float32"]
    text = done.stderr.splitlines()
    assert len(text) == (name in ("unknown", "no mapping", "unreadable")), text
    assert all(line.startswith("keras.json is ignored") for line in text)
    if WRONG[name]:
        assert (home / "keras.json").read_text() == WRONG[name]


def test_keras_that_was_imported_on_another_backend_is_refused_in_one_line(monkeypatch):
    other = SimpleNamespace(config=SimpleNamespace(backend=lambda: "jax"))
    monkeypatch.setitem(sys.modules, "keras", other)
    with pytest.raises(UserError) as caught:
        tensorflow.import_keras()
    assert caught.value.value == "jax"
    assert "KERAS_BACKEND=tensorflow" in str(caught.value)


@pytest.fixture
def gpus(monkeypatch):
    """A TensorFlow that sees two."""
    library = mock.MagicMock()
    library.config.list_physical_devices.return_value = ["one", "two"]
    monkeypatch.setitem(sys.modules, "tensorflow", library)
    monkeypatch.delenv(tensorflow.GPU_SWITCH, raising=False)
    return library.config


@pytest.mark.parametrize("switch", [None, "", "0"])
def test_gpus_are_left_alone(gpus, monkeypatch, switch):
    if switch is not None:
        monkeypatch.setenv(tensorflow.GPU_SWITCH, switch)
    tensorflow.leave_gpus()
    gpus.set_visible_devices.assert_called_once_with([], "GPU")
    gpus.experimental.set_memory_growth.assert_not_called()


def test_gpus_that_are_asked_for_are_shared(gpus, monkeypatch):
    monkeypatch.setenv(tensorflow.GPU_SWITCH, "1")
    tensorflow.leave_gpus()
    gpus.set_visible_devices.assert_not_called()
    assert gpus.experimental.set_memory_growth.call_args_list == [
        mock.call("one", True),
        mock.call("two", True),
    ]


def test_a_process_that_has_begun_with_gpus_keeps_them(gpus):
    gpus.set_visible_devices.side_effect = RuntimeError(
        "cannot be modified after being initialized"
    )
    tensorflow.leave_gpus()


@pytest.mark.parametrize("missing", ["TemporaryFile", "dup"])
def test_tensorflow_is_imported_where_nothing_can_be_set_aside(monkeypatch, missing):
    def refused(*_):
        raise OSError("read-only")

    where = tensorflow.tempfile if missing == "TemporaryFile" else tensorflow.os
    monkeypatch.setattr(where, missing, refused)
    with tensorflow._stderr_aside():
        pass
