"""Networks and optimizers of one's own: names for them, and a look at each before it is trained.

What is wrong with one is found by trying it out, as with an environment: on two lanes, a minibatch
of three and random numbers, compiled as training compiles it.
"""

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dqn.config import Config, components
from dqn.config.config import choices_of
from dqn.config.fields import closest_match, short_repr
from dqn.envs import gymnasium_env
from dqn.envs.program_key import Architecture, ProgramKey
from dqn.runtime import compile_cache
from dqn.runtime.errors import UserError, first_line, must_be, unknown_key

_LANES, _BATCH = 2, 3  # of a trial
_ADVICE = "docs/architecture.md says what each kind of component must have"
_KINDS = {"network": "a network that lanes can train", "optimizer": "an optimizer of lanes"}


def register(
    *,
    network: Mapping[str, Any] | None = None,
    optimizer: Mapping[str, Any] | None = None,
    **others: Any,
) -> None:
    """Make components of your own values of their keys, by names of your choice.

    `network` and `optimizer` map a name to where the component is: "module:Name", its import path,
    or the class itself. A network is a subclass of `dqn.agents.networks.Network`, an optimizer an
    object of `dqn.agents.optimizers.Optimizer`. The name holds in this process; results have the
    path. Raises `UserError` for another key, a name that is taken, and what cannot be imported or
    is no such component; nothing is registered then.

    >>> import dqn
    >>> from dqn.config import Config
    >>> dqn.register(network={"mine": "dqn.agents.networks.dueling:Dueling"})
    >>> Config(network="mine").network
    'dqn.agents.networks.dueling:Dueling'
    """
    for key in others:
        raise unknown_key(key, f"register({key}=...)", _advice(key), others[key])
    found: list[tuple[str, str, str]] = []
    for key, named in (("network", network), ("optimizer", optimizer)):
        if named is not None and not isinstance(named, Mapping):
            rule, example = "a mapping of names to import paths", '{"mine": "my_module:Mine"}'
            raise must_be(key, rule, short_repr(named), example=example, value=named)
        found += [(key, *_checked(key, *pair)) for pair in (named or {}).items()]
    for key, name, path in found:
        components.give_name(key, name, path)


def refuse_config(config: Config) -> None:
    """Raise `UserError` where a component of one's own cannot train `config` in its environment."""
    if components.own_of(config):
        _import_agents()
        refuse_unfit(ProgramKey.of(config, gymnasium_env.describe(config.env)))


def refuse_unfit(key: ProgramKey) -> None:
    """Raise `UserError` where a component of one's own in `key` cannot train it.

    Each is tried out once in a process for every size of it, in half a second.
    """
    key = key._replace(env="", arguments="", batch_size=_BATCH, capacity=0, lanes=_LANES)
    if components.is_stamped(key.network.name):
        _try_network(key._replace(optimizer=Config().optimizer))
    if components.is_stamped(key.optimizer):
        small = Architecture(Config().network, (4,), Config().activation)
        _try_optimizer(key._replace(network=small, observation_size=3, actions=2))


def kept(key: ProgramKey) -> Any:
    """Where graphs and programs of a key are kept; None where nothing is.

    Of a component of one's own no graph is: other modules than its own may have a part in it.
    """
    graphs = compile_cache.graphs()
    return compile_cache.ProgramsAlone(graphs) if graphs and key.is_own else graphs


def _checked(key: str, name: Any, given: Any) -> tuple[str, str]:
    """A name and the path it is to stand for, once all about them is found to be in order."""
    if not (isinstance(name, str) and name.isidentifier()):
        rule, example = "named by one word", f'{{"mine": {short_repr(given)}}}'
        raise must_be(key, rule, short_repr(name), example=example, value=name)
    if name in choices_of(key):
        advice = f"{', '.join(choices_of(key))} are built in"
        raise must_be(key, "registered under a name that is free", repr(name), advice, value=name)
    path = components.path_of(key, given)
    if not components.is_path(path):
        rule, example = "registered as an import path", f'{{"{name}": "my_module:Mine"}}'
        raise must_be(key, rule, short_repr(path), example=example, value=given)
    _import_agents()
    _named(key)(path)
    return name, path


def _advice(key: str) -> str:
    if key == "env":
        return "an environment needs no name: env=gymnasium env.id=my_module:MyEnv-v0"
    near = closest_match(key, components.COMPONENTS)
    return f"did you mean {near}?" if near else f"known are {', '.join(components.COMPONENTS)}"


def _import_agents() -> None:
    """TensorFlow as this program needs it, before a module of the user's own imports it."""
    compile_cache.prepare(quiet=True)
    importlib.import_module("dqn.agents")


def _named(key: str) -> Callable[[str], Any]:
    """The function that gives a component of `key`, or refuses it."""
    return getattr(importlib.import_module(f"dqn.agents.{key}s"), f"{key}_named")


@contextmanager
def _blamed(key: str, name: str) -> Iterator[Callable[[str], UserError]]:
    """Whatever is raised within is an error of the component; gives what makes one of a text."""
    path = components.unstamped(name)

    def unfit(problem: str) -> UserError:
        return must_be(key, _KINDS[key], f"{path!r}, {problem}", _ADVICE, value=path)

    try:
        yield unfit
    except UserError:
        raise
    except Exception as error:  # of the user's own code, or of TensorFlow about it
        raise unfit(f"which raised {type(error).__name__}: {first_line(error)[:300]}") from error


@functools.cache
def _try_network(key: ProgramKey) -> None:
    import numpy as np
    import tensorflow as tf

    from dqn.agents.networks import network_of

    L, B, D, A = key.lanes, key.batch_size, key.observation_size, key.actions
    with _blamed("network", key.network.name) as unfit:
        network = network_of(key)
        shapes: Any = network.shapes
        if not _are_shapes(shapes):
            raise unfit(f"whose shapes are {short_repr(shapes)}, must be a list of tuples of sizes")
        weights = network.init(tf.constant([0, 1]))
        text = _unlike([(L, *shape) for shape in shapes], weights)
        if text:
            raise unfit(f"whose init gives {text}")
        x = tf.constant(np.random.default_rng(0).normal(size=(L, B, D)), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            q = network.apply(weights, x)
            total = tf.reduce_sum(q)
        for shape, q_values in (
            ((L, B, A), q),
            ((B, A), alone := network.apply([w[1] for w in weights], x[1])),
        ):
            if text := _unlike([shape], [q_values]):
                raise unfit(f"whose apply for {_axes(shape)} gives {text}")
        if not np.allclose(q[1], alone, 1e-3, 1e-4):
            raise unfit("whose apply gives a lane other Q-values beside another than alone")
        unused = [i for i, g in enumerate(tape.gradient(total, weights)) if g is None]
        if unused:
            raise unfit(f"whose apply does not use weights {short_repr(unused)}, counted from 0")
        _update(key, x)


@functools.cache
def _try_optimizer(key: ProgramKey) -> None:
    import tensorflow as tf

    from dqn.agents.optimizers import optimizer_of

    L, B, D = key.lanes, key.batch_size, key.observation_size
    with _blamed("optimizer", key.optimizer) as unfit:
        slots = optimizer_of(key).slots
        if type(slots) is not int or slots < 0:
            raise unfit(f"whose slots are {short_repr(slots)}, must be a whole number >= 0")
        _update(key, tf.ones([L, B, D]))


def _update(key: ProgramKey, x: Any) -> None:
    """Compile and make one update, as a block of this key does, on observations x [L, B, D]."""
    import tensorflow as tf

    from dqn.agents import dqn
    from dqn.agents.dqn import Hyper, Learner
    from dqn.agents.networks import network_of
    from dqn.agents.optimizers import optimizer_of
    from dqn.agents.replay import Transition
    from dqn.runtime.traced import Compiled
    from dqn.training.lane_block import hyper_of

    L, B = key.lanes, key.batch_size
    network, optimizer = network_of(key), optimizer_of(key)
    weights = network.init(tf.constant([0, 1]))
    learner = Learner(weights, weights, optimizer.init(weights), tf.zeros([L], tf.int32))
    batch = Transition(x, tf.zeros([L, B], tf.int32), tf.ones([L, B]), x, tf.zeros([L, B]))
    hyper = Hyper(*(tf.fill([L], value) for value in hyper_of(Config(), 0)))
    update = Compiled(
        functools.partial(dqn.update, network=network, optimizer=optimizer),
        f"try {key}",
        lambda learner, *_: (learner, None, None),
        kept(key),
    )
    update(learner, batch, tf.ones([L], tf.bool), hyper)


def _are_shapes(shapes: Any) -> bool:
    with contextlib.suppress(Exception):
        sizes = [size for shape in shapes for size in shape]
        return len(shapes) > 0 and all(type(size) is int and size > 0 for size in sizes)
    return False


def _unlike(shapes: list[tuple[int, ...]], tensors: Any) -> str:
    """In words, the first of `tensors` that is not float32 of its shape; "" where all are."""
    if len(tensors) != len(shapes):
        return f"{len(tensors)} tensors, must give {len(shapes)}"
    for shape, x in zip(shapes, tensors, strict=True):
        got, kind = tuple(x.shape), getattr(x.dtype, "name", x.dtype)
        if got != shape or kind != "float32":
            return f"{kind} of shape {list(got)}, must give float32 of {list(shape)}"
    return ""


def _axes(shape: tuple[int, ...]) -> str:
    return "weights [L, ...] and x [L, B, D]" if len(shape) == 3 else "weights [...] and x [B, D]"
