"""Networks and optimizers of one's own: registered, tried out, and trained as built-in ones are."""

import doctest
import linecache
import sys
import types

import gymnasium
import numpy as np
import pytest
import tensorflow as tf

import dqn
from dqn import create_model, session
from dqn.agents import networks
from dqn.agents.dqn import Hyper
from dqn.config import Config, EnvConfig, components
from dqn.envs import gymnasium_env
from dqn.envs.program_key import ProgramKey
from dqn.runtime import compile_cache, limits
from dqn.runtime.errors import UserError
from dqn.training import engine as engine_module
from dqn.training.engine import Engine
from dqn.training.jobs import Job
from dqn.training.lane_block import hyper_of
from dqn.training.own_components import kept, refuse_config
from dqn.workers.local import LocalBackend
from dqn.workers.pool import refuse_workers
from dqn.workers.registrations import bound_here
from dqn.workers.remote_pool import RemotePool

SMALL = {"hidden": [8], "episodes": 4, "batch_size": 4, "test_episodes": 2}


def small(**changes):
    return Config(**{**SMALL, **changes})


def trained(config, engine=None):
    """One training of `config` that is over."""
    engine = engine or Engine()
    _, finished = engine.advance([Job(0, 3, config)])
    while engine.busy:
        finished += engine.advance()[1]
    engine.close()
    (only,) = finished
    return only


def assert_same(one, other):
    assert (one.status, one.steps) == (other.status, other.steps) == ("done", other.steps)
    np.testing.assert_array_equal(one.episodes.returns, other.episodes.returns)
    np.testing.assert_array_equal(one.test_returns, other.test_returns)
    for ours, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


STEPPED = EnvConfig("CartPole-v0", kwargs={"sutton_barto_reward": False})


@pytest.mark.parametrize("env", [EnvConfig(), STEPPED], ids=["compiled", "stepped"])
def test_what_is_written_as_a_built_in_component_trains_to_its_very_bits(own_module, env):
    own = {"network": own_module["Same"], "optimizer": own_module["SAME"]}
    assert_same(trained(small(env=env, **own)), trained(small(env=env)))


def test_a_network_of_any_shape_is_trained_and_read_out(own_module):
    config = small(env=STEPPED, network=own_module["Wide"], optimizer=own_module["SIGN"])
    over = trained(config)
    assert (over.status, [w.shape for w in over.weights]) == ("done", [(4, 12), (12, 2), ()])
    assert len(over.test_returns) == 2
    network = networks.trained_network(config, over.weights)
    assert (network.observation_size, network.actions) == (4, 2)
    assert network.q_function(over.weights)(np.zeros([5, 4], "f4")).shape == (5, 2)


def by_a_worker(config):
    pool = RemotePool(LocalBackend(1))
    finished = pool.advance([Job(0, 3, config)], []).finished
    while not finished:
        finished += pool.advance([], []).finished
    pool.close()
    (only,) = finished
    return only


def test_a_worker_in_a_process_of_its_own_has_it(own_module):
    over = by_a_worker(small(network=own_module["Wide"]))
    assert (over.status, over.reason) == ("done", "")
    assert [w.shape for w in over.weights] == [(4, 12), (12, 2), ()]


def test_a_worker_whose_module_is_another_trains_nothing_with_it(own_module):
    config = small(network=own_module["Same"])
    components.source_hash("network", config.network)
    own_module.file.write_text(own_module.file.read_text() + "# edited\n")  # and not imported anew
    over = by_a_worker(config)
    assert over.status == "failed"
    assert "must be of one source wherever it is trained" in over.reason


def q_values(config):
    """What a block's compiled function says of actions in a few observations."""
    key = ProgramKey.of(config, gymnasium_env.describe(config.env), 2)
    functions = engine_module._stepped_functions(key._replace(env="", arguments=""))
    hyper = Hyper(*(tf.fill([2], value) for value in hyper_of(config, 0)))
    weights = networks.network_of(key).init(tf.constant([0, 1]))
    return functions.act(weights, tf.ones([2, 4]), tf.constant([0, 0]), hyper)[1].numpy()


def as_in_a_new_process(own_module):
    own_module.forget()
    engine_module._stepped_functions.cache_clear()


def test_an_edited_component_is_never_taken_from_the_cache(own_module):
    config = small(network=own_module["Same"])
    before = q_values(config)
    text = own_module.file.read_text()
    own_module.file.write_text(text + "\n\nclass Same(Doubled): pass\n")
    as_in_a_new_process(own_module)
    np.testing.assert_array_equal(q_values(config), 2.0 * before)
    own_module.file.write_text(text)
    as_in_a_new_process(own_module)
    np.testing.assert_array_equal(q_values(config), before)


def test_nor_is_one_whose_imports_were_edited(own_module):
    helper = own_module.file.with_name(f"{own_module.name}_helper.py")
    helper.write_text("def scaled(q): return q")
    own_module.write(
        "from dqn.agents.networks.mlp import MLP\n"
        f"from {helper.stem} import scaled\n\n\n"
        "class Scaled(MLP):\n"
        "    def apply(self, weights, x):\n"
        "        return scaled(super().apply(weights, x))\n"
    )
    config = small(network=own_module["Scaled"])
    before = q_values(config)
    np.testing.assert_array_equal(before, q_values(small()))
    helper.write_text("def scaled(q): return 4.0 * q")
    sys.modules.pop(helper.stem)
    as_in_a_new_process(own_module)  # the source of the component itself is what it was
    np.testing.assert_array_equal(q_values(config), 4.0 * before)
    sys.modules.pop(helper.stem)


def test_programs_are_kept_and_graphs_of_ones_own_components_are_not(own_module):
    graphs = compile_cache.graphs()
    if graphs is None:
        pytest.skip("nothing is kept here")
    assert kept(ProgramKey.of(small())) is graphs
    own = kept(ProgramKey.of(small(network=own_module["Same"])))
    own["chunk"] = b"graph"
    assert own.get("chunk") is None
    assert own.compiled == graphs.compiled


UNFIT = {
    "shapes": ("shapes = [(4, 2.5)]", "whose shapes are [(4, 2.5)]"),
    "no shapes": ("shapes = []", "whose shapes are []"),
    "init": (
        "def init(self, seed): return super().init(seed)[:-1]",
        "whose init gives 3 tensors, must give 4",
    ),
    "one lane": (
        "def init(self, seed): return [w[:1] for w in super().init(seed)]",
        "must give float32 of [2, 4, 8]",
    ),
    "too few actions": (
        "def apply(self, weights, x): return super().apply(weights, x)[..., :1]",
        "whose apply for weights [L, ...] and x [L, B, D] gives float32 of shape [2, 3, 1]",
    ),
    "half precision": (
        "def apply(self, weights, x): return tf.cast(super().apply(weights, x), tf.float16)",
        "gives float16 of shape",
    ),
    "lanes alone": (
        "def apply(self, weights, x):\n"
        "        q = super().apply(weights, x)\n"
        "        return q if q.shape.rank == 3 else q[None]",
        "whose apply for weights [...] and x [B, D] gives float32 of shape [1, 3, 2]",
    ),
    "mixed lanes": (
        "def apply(self, weights, x):\n"
        "        q = super().apply(weights, x)\n"
        "        return q + tf.reduce_mean(q, 0, keepdims=True) * (q.shape.rank == 3)",
        "gives a lane other Q-values beside another than alone",
    ),
    "unused": (
        "shapes = property(lambda self: MLP.shapes.fget(self) + [(3,)])\n\n"
        "    def apply(self, weights, x): return super().apply(weights[:-1], x)",
        "does not use weights [4]",
    ),
    "raises": ("def apply(self, weights, x): return x @ x", "which raised InvalidArgumentError"),
    "not compiled": (
        "def apply(self, weights, x):\n"
        "        q = super().apply(weights, x)\n"
        "        return q + 0.0 * tf.cast(tf.strings.length(tf.strings.as_string(q)), tf.float32)",
        "which raised",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_network_that_cannot_be_trained_is_refused_in_one_line(own_module, case):
    body, part = UNFIT[case]
    head = "import tensorflow as tf\nfrom dqn.agents.networks.mlp import MLP\n\n\n"
    own_module.write(f"{head}class Bad(MLP):\n    {body}\n")
    config = small(network=own_module["Bad"])
    with pytest.raises(UserError) as refused:
        refuse_config(config)
    text = str(refused.value)
    assert text.startswith("network must be a network that lanes can train, got ")
    assert part in text
    assert "\n" not in text
    assert refused.value.value == own_module["Bad"]
    over = trained(config)  # in a study, of which another trial found it
    assert (over.status, over.reason) == ("failed", text)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("Optimizer(1, lambda g, slots: (), lambda w, g, slots, h, t: w)", "raised"),
        ("Optimizer(0, lambda g, slots: g, lambda w, g, slots, h, t: w)", "raised"),
        ("Optimizer(0, lambda g, slots: slots, lambda w, g, slots, h, t: (w, slots))", "raised"),
        ("Optimizer(0, lambda g, slots: slots, lambda w, *_: [x[0] for x in w])", "raised"),
        ("Optimizer('1', lambda g, slots: slots, lambda w, *_: w)", "whose slots are '1'"),
    ],
)
def test_an_optimizer_that_cannot_be_used_is_refused_in_one_line(own_module, body, part):
    own_module.write(f"from dqn.agents.optimizers import Optimizer\n\nBAD = {body}\n")
    with pytest.raises(UserError) as refused:
        refuse_config(small(optimizer=own_module["BAD"]))
    text = str(refused.value)
    assert text.startswith("optimizer must be an optimizer of lanes, got ")
    assert part in text
    assert "\n" not in text


def test_a_component_of_another_kind_is_refused(own_module):
    for key, name, part in (
        ("network", "SIGN", "a subclass of dqn.agents.networks.Network"),
        ("network", "Unfinished", "a class with apply, got "),
        ("optimizer", "Same", "an object of the class dqn.agents.optimizers.Optimizer"),
    ):
        with pytest.raises(UserError, match=part) as refused:
            refuse_config(small(**{key: own_module[name]}))
        assert refused.value.key == key


def test_a_registered_name_is_a_value_of_its_key(own_module):
    dqn.register(network={"wide": own_module["Wide"]}, optimizer={"sign": own_module["SIGN"]})
    config = small(network="wide", optimizer="sign")
    assert (config.network, config.optimizer) == (own_module["Wide"], own_module["SIGN"])
    env = gymnasium_env.make(EnvConfig())
    dqn.register(network={"same": own_module["Same"]})
    assert create_model(env, 0.1, network="same").count_params() == 4610


def test_a_class_is_registered_as_the_path_where_it_is(own_module):
    same = components.load("network", own_module["Same"])
    dqn.register(network={"same": same})
    assert Config(network="same").network == own_module["Same"]
    assert Config(network=same) == Config(network="same")


@pytest.mark.parametrize(
    ("given", "key", "part"),
    [
        ({"netwrok": {"mine": "a:B"}}, "netwrok", "did you mean network?"),
        ({"env": {"mine": "a:B"}}, "env", "env=gymnasium env.id=my_module:MyEnv-v0"),
        ({"metric": {"mine": "a:B"}}, "metric", "known are network, optimizer"),
        ({"network": "a:B"}, "network", "a mapping of names to import paths"),
        ({"network": {"mlp": "a:B"}}, "network", "a name that is free"),
        ({"network": {"two words": "a:B"}}, "network", "named by one word"),
        ({"network": {"mine": "a.B"}}, "network", "registered as an import path"),
        ({"network": {"mine": 3}}, "network", "registered as an import path"),
        ({"network": {"mine": "mlp"}}, "network", "registered as an import path"),
        ({"optimizer": {"mine": "no_such_package:B"}}, "optimizer", "can be found"),
        ({"network": {"mine": "json:loads"}}, "network", "a subclass of dqn.agents"),
    ],
    ids=str,
)
def test_what_cannot_be_registered_is_refused_and_nothing_is(own_module, given, key, part):
    with pytest.raises(UserError) as refused:
        dqn.register(**{"optimizer": {"sign": own_module["SIGN"]}, **given})
    assert refused.value.key == key
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)
    assert components.names_of("optimizer") == components.names_of("network") == ()


def test_the_example_of_register_prints_what_it_says(own_module):
    ran = doctest.DocTestRunner()
    (example,) = doctest.DocTestFinder().find(dqn.register, "register", globs={})
    ran.run(example)
    assert (ran.tries, ran.failures) == (4, 0)


def test_a_class_of_a_function_has_no_path(own_module):
    class Local(networks.Network):
        pass

    with pytest.raises(UserError, match="registered as an import path"):
        dqn.register(network={"local": Local})


def test_what_only_this_script_defines_is_trained_in_its_process(own_module, monkeypatch, capfd):
    same = components.load("network", own_module["Same"])
    monkeypatch.setattr(sys.modules["__main__"], "Same", same, raising=False)
    monkeypatch.setattr(same, "__module__", "__main__")
    dqn.register(network={"here": same})
    config = small(network="here", workers=2)
    assert config.network == "__main__:Same"
    assert bound_here([small(), config]) == "network=__main__:Same"
    assert bound_here([small(network=own_module["Same"])]) == ""
    with pytest.raises(UserError, match="workers=2 needs components that other processes can imp"):
        refuse_workers(config, [config])
    monkeypatch.setattr(limits, "cores", lambda: 2)
    auto = small(network="here", workers="auto")
    with session.pool_for(auto, 99, [auto]) as pool:
        assert not pool.is_remote
    assert capfd.readouterr().err == (
        "only this script defines network=__main__:Same: this process trains everything; define it "
        "in a module of its own and write network=your_module:Name\n"
    )
    assert_same(trained(config), trained(small()))


def test_the_cell_of_a_notebook_is_the_source_of_what_it_defines(own_module, monkeypatch):
    cell = own_module.file.read_text()
    notebook = types.ModuleType("a_notebook")
    monkeypatch.setitem(sys.modules, "a_notebook", notebook)
    monkeypatch.setitem(linecache.cache, "<cell 1>", (len(cell), None, cell.splitlines(True), ""))
    exec(compile(cell, "<cell 1>", "exec"), vars(notebook))
    expected = components.hashlib.sha256(cell.encode()).hexdigest()
    assert components.source_hash("network", "a_notebook:Wide") == expected
    assert components.source_hash("optimizer", "a_notebook:SIGN") == expected
    exec(compile(cell, "<gone>", "exec"), vars(notebook))
    assert components.source_hash("network", "a_notebook:Wide") == ""
    first = ProgramKey.of(small(network="a_notebook:Wide"))
    exec(compile(cell, "<gone>", "exec"), vars(notebook))
    assert ProgramKey.of(small(network="a_notebook:Wide")) != first  # defined again: another


def test_without_layers_of_keras_it_is_said_what_is_missing(own_module):
    env = gymnasium.make("CartPole-v1")
    with pytest.raises(UserError, match=r"Wide has no Keras model; define keras_model\(\)"):
        create_model(env, 0.1, network=own_module["Wide"])
    with pytest.raises(UserError, match="no counterpart in Keras"):
        create_model(env, 0.1, optimizer=own_module["SIGN"])


def test_a_keras_model_that_is_another_function_is_not_written(own_module):
    over = trained(small())
    same, doubled = (
        networks.trained_network(small(network=own_module[name]), over.weights)
        for name in ("Same", "Doubled")
    )
    assert same.to_keras(over.weights).count_params() == 58
    with pytest.raises(UserError, match="must give the Q-values that apply gives, gave others"):
        doubled.to_keras(over.weights)
