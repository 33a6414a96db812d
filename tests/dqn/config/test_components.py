"""Components of one's own in a configuration: a path, whose module is imported where it trains."""

import hashlib
import importlib
import sys

import pytest

from dqn.config import Config, components
from dqn.config.config import KEYS, choices_of, key_of
from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import UserError
from dqn.storage.columns import config_of, hyperparameters
from dqn.storage.identity import identity_of


def test_the_keys_that_take_paths_are_those_that_say_so():
    assert components.COMPONENTS == ("network", "optimizer")
    assert {name for name, key in KEYS.items() if key_of(key).takes_path} == {
        *components.COMPONENTS
    }
    assert choices_of("network") == ("mlp", "dueling")


@pytest.mark.parametrize("key", components.COMPONENTS)
def test_a_path_is_a_value_and_nothing_is_imported_for_it(key):
    config = Config(**{key: "no_such_package.parts:Mine"})
    assert getattr(config, key) == "no_such_package.parts:Mine"
    assert Config.from_mapping(config.to_mapping()) == config
    assert config_of(hyperparameters(config), Config()) == config
    assert identity_of(config) != identity_of(Config())
    assert "no_such_package" not in sys.modules


@pytest.mark.parametrize(
    "value",
    ["no_such", "my-module:Mine", "my_module:", ":Mine", "my_module:Mine.inner", "a/b.py:Mine", ""],
)
def test_what_is_no_path_is_refused_with_the_form_of_one(value):
    with pytest.raises(UserError, match="mlp, dueling or module:Name") as refused:
        Config(network=value)
    assert (refused.value.key, refused.value.value) == ("network", value)


def test_a_path_with_a_dot_for_its_colon_is_recognised():
    with pytest.raises(UserError, match=r"did you mean network=my_module\.sub:Mine"):
        Config(network="my_module.sub.Mine")


def test_a_key_of_built_in_choices_alone_takes_no_path():
    with pytest.raises(UserError, match="activation must be"):
        Config(activation="my_module:Mine")


def test_a_name_stands_for_its_path_wherever_a_value_is_read(own_module):
    components.give_name("network", "mine", own_module["Same"])
    assert Config(network="mine").network == own_module["Same"]
    with pytest.raises(UserError, match="optimizer must be adam, rmsprop or module:Name"):
        Config(optimizer="mine")
    with pytest.raises(UserError, match="did you mean network=mine"):
        Config(network="minee")


def test_the_programs_of_built_in_components_have_the_keys_that_they_had():
    assert repr(ProgramKey.of(Config(network="dueling", optimizer="rmsprop"))) == (
        "ProgramKey(env='cartpole', arguments='', network=Architecture(name='dueling', "
        "hidden=(64, 64), activation='relu'), optimizer='rmsprop', batch_size=32, capacity=8192, "
        "observation_size=0, actions=0, lanes=0)"
    )


def test_the_key_of_a_program_tells_one_source_from_another(own_module):
    config = Config(network=own_module["Same"], optimizer=own_module["SIGN"])
    first = ProgramKey.of(config)
    sha256 = hashlib.sha256(own_module.file.read_bytes()).hexdigest()
    assert first.is_own
    assert first.network.name == f"{own_module['Same']}@{sha256[:16]}"
    assert components.source_hash("network", config.network) == sha256
    own_module.write(own_module.file.read_text() + "# edited\n")
    second = ProgramKey.of(config)
    assert second.network.name != first.network.name
    assert second.optimizer != first.optimizer
    assert components.unstamped(second.network.name) == config.network


def test_a_module_that_is_loaded_anew_in_this_process_is_another_program(own_module):
    config = Config(network=own_module["Same"])
    first = ProgramKey.of(config)
    assert ProgramKey.of(config) == first
    importlib.reload(sys.modules[own_module.name])  # of what it imports, another may have changed
    assert ProgramKey.of(config) != first


def test_a_class_is_known_by_the_file_that_defines_it(own_module):
    path = own_module["MLP"]  # which the module imports
    with open(sys.modules["dqn.agents.networks.mlp"].__file__ or "", "rb") as file:
        assert components.source_hash("network", path) == hashlib.sha256(file.read()).hexdigest()


def test_another_source_than_the_one_that_is_expected_is_refused(own_module):
    path = own_module["Same"]
    components.expect({path: components.source_hash("network", path)})
    ProgramKey.of(Config(network=path))
    own_module.write(own_module.file.read_text() + "# edited\n")
    with pytest.raises(UserError, match="must be of one source wherever it is trained"):
        ProgramKey.of(Config(network=path))


@pytest.mark.parametrize(
    ("text", "name", "part"),
    [
        ("", "Mine", "must be in its module"),
        ("class Mien: pass", "Mine", "did you mean {module}:Mien"),
        ("1 / 0", "Mine", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('no licence')", "Mine", "SystemExit: no licence"),
        ("import no_such_package", "Mine", "No module named 'no_such_package'"),
        ("def x(:", "Mine", "SyntaxError"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(own_module, text, name, part):
    own_module.write(text)
    with pytest.raises(UserError) as refused:
        components.load("network", own_module[name])
    assert part.format(module=own_module.name) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.key == "network"


def test_a_module_that_is_not_there_is_one_line_with_its_name():
    with pytest.raises(UserError, match="in the folder that holds no_such_package") as refused:
        components.load("optimizer", "no_such_package.parts:Mine")
    assert refused.value.key == "optimizer"
