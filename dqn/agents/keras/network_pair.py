"""The agent's two networks, online and target, and the compiled functions that act on them.

Any Keras model is traced as it is, by calling it and its optimizer. A trace does not belong to the
variables it was made with: the concrete function lists them as its captured inputs, and is called
here with those of any other pair of the same architecture. So agents made one after another are
traced once, and each is freed when dropped.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from dqn.agents import losses
from dqn.agents.keras import architecture
from dqn.agents.keras.backend import keras
from dqn.agents.replay import Transition
from dqn.runtime.errors import UserError


class _TracedFunction(NamedTuple):
    """One compiled function and where its captured inputs are among a pair's variables."""

    function: Any  # a ConcreteFunction
    output: tf.DType
    captures: list[int | None]  # None: not one of them


class _Traces(NamedTuple):
    """What pairs of one architecture share."""

    q_values: _TracedFunction
    update: _TracedFunction
    sync: _TracedFunction


_shared: dict[str | None, _Traces] = {}


class NetworkPair:
    """An online and a target network as compiled functions of NumPy arrays.

    `create_model(env, lr)` builds each; `model` and `target` begin with equal weights. `double` and
    `clipped` (whether gradients are clipped) change the program; all other settings are numbers.
    Raises UserError for models that do not fit D observed numbers and A actions.

    `q_values(observations float32 [B, D])` → float32 [B, A].
    `update(*batch, settings)` → loss; one step of the online model's optimizer. `batch` is a
    `replay.Transition`, settings float32 [4]: gamma, reward_scale, huber_delta, grad_clip.
    `sync(tau)`: target ← tau·online + (1 - tau)·target.
    """

    def __init__(self, env, create_model, lr: float, *, double: bool, clipped: bool):
        self.model, self.target = model, target = create_model(env, lr), create_model(env, lr)
        observation_size = env.observation_space.shape[0]
        _build(model, target, observation_size, int(env.action_space.n))
        variables = [*model.variables, *target.variables, *model.optimizer.variables]
        handles = [variable.value.handle for variable in variables]
        key = architecture.key_of(model)
        if key:
            key = f"{key} {observation_size} {double} {clipped}"
        traces = _shared.get(key)
        if traces is None:
            traces = _trace(model, target, handles, observation_size, double, clipped)
            # What is captured beside variables, as by an adapted Normalization, is one model's own.
            if key and all(None not in trace.captures for trace in traces):
                _shared[key] = traces
        self.q_values, self.update, self.sync = (_bound(trace, handles) for trace in traces)


def _build(model, target, observation_size: int, actions: int) -> None:
    """Create every variable that is not there yet, and give both networks the same weights."""
    if model is target:
        raise UserError(
            "create_model must build a new model each time, got the same one twice: build it "
            "inside the function"
        )
    if getattr(model, "optimizer", None) is None:
        raise UserError(
            "create_model must return a compiled model, got one without an optimizer: "
            "model.compile(loss='mse', optimizer=keras.optimizers.Adam(lr))"
        )
    observation = tf.zeros([1, observation_size])
    shape = tuple(model(observation).shape)
    if shape != (1, actions):
        raise UserError(
            f"create_model must return a model with one output for each of {actions} actions, got "
            f"outputs of shape {shape[1:]}: end it in keras.layers.Dense({actions})"
        )
    target(observation)
    target.set_weights(model.get_weights())
    model.optimizer.build(model.trainable_variables)


def _bound(trace: _TracedFunction, handles: list) -> Callable:
    """`trace` as a function of arrays alone, acting on the variables behind `handles`."""
    constants = trace.function.captured_inputs
    captured = [
        constant if place is None else handles[place]
        for constant, place in zip(constants, trace.captures, strict=True)
    ]
    outputs = [trace.output]

    def call(*arguments):
        # The operation that a tf.function comes down to. Called so, an update takes 0.4 ms; through
        # the tf.function, whose Python inspects 30 arguments, 1.8 ms.
        return tf.raw_ops.StatefulPartitionedCall(
            args=[*arguments, *captured], Tout=outputs, f=trace.function
        )[0].numpy()

    return call


def _trace(model, target, handles, observation_size: int, double: bool, clipped: bool) -> _Traces:
    """Trace the three functions; as plain graphs: launching an XLA program costs more here."""

    def q_of(network, observations, training=False):
        q = network(observations, training=training)  # [B, A]
        return tf.cast(q, tf.float32)  # the caller may compute in another precision

    def q_values(observations):
        return q_of(model, observations)

    def update(*arguments):
        batch, settings = Transition(*arguments[:-1]), arguments[-1]
        gamma, reward_scale, huber_delta, grad_clip = tf.unstack(settings)
        q_next = q_of(target, batch.s_next)  # [B, A]
        if double:
            value_next = losses.double_value(q_next, q_of(model, batch.s_next))  # [B]
        else:
            value_next = losses.greedy_value(q_next)  # [B]
        y = losses.target(batch.r, batch.terminal, value_next, gamma, reward_scale)  # [B]
        weights = [variable.value for variable in model.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            q_sa = losses.chosen_value(q_of(model, batch.s, training=True), batch.action)
            loss = tf.reduce_mean(losses.loss(y - q_sa, huber_delta))  # []
            penalties = [tf.cast(penalty, tf.float32) for penalty in model.losses]
            # With the caller's own regularisers and the loss scale of his optimizer, mostly 1.
            scaled = model.optimizer.scale_loss(tf.add_n([loss, *penalties]))
        gradients = tape.gradient(
            scaled, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        if clipped:
            norm = losses.global_norm(gradients) / model.optimizer.scale_loss(1.0)
            gradients = losses.clip_by_global_norm(gradients, norm, grad_clip)
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss

    def sync(tau):
        for online, aim in zip(model.weights, target.weights, strict=True):
            # A full copy is exact, also of weights that are no longer finite or were never real.
            mixed = online.value
            if keras.backend.is_float_dtype(aim.dtype):
                share = tf.cast(tau, aim.dtype)
                mixed = tf.where(share == 1, mixed, share * mixed + (1 - share) * aim.value)
            aim.assign(mixed)
        return tau

    real = tf.float32
    states, numbers = tf.TensorSpec([None, observation_size], real), tf.TensorSpec([None], real)
    batch = [states, tf.TensorSpec([None], tf.int32), numbers, states, numbers]
    return _Traces(
        q_values=_traced(q_values, [states], handles),
        update=_traced(update, [*batch, tf.TensorSpec([4], real)], handles),
        sync=_traced(sync, [tf.TensorSpec([], real)], handles),
    )


def _traced(function, signature, handles) -> _TracedFunction:
    concrete = tf.function(function).get_concrete_function(*signature)
    places = {id(handle): place for place, handle in enumerate(handles)}
    captures = [places.get(id(capture)) for capture in concrete.captured_inputs]
    return _TracedFunction(concrete, concrete.outputs[0].dtype, captures)
