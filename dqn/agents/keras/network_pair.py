"""The agent's two networks, online and target, and the functions that act on them.

Any Keras model is traced as it is, as plain graphs: launching an XLA program costs more here.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from dqn.agents import losses
from dqn.agents.keras.backend import keras
from dqn.agents.replay import Transition
from dqn.runtime.errors import UserError


class NetworkPair:
    """An online and a target network, with functions of NumPy arrays, each traced when first used.

    `create_model(env, lr)` builds each; `model` and `target` begin with equal weights. `double` and
    `clipped` (whether gradients are clipped) change the program; all other settings are numbers.
    Raises UserError for models that do not fit D observed numbers and A actions.

    `q_values(observations float32 [B, D])` → float32 [B, A].
    `update(*batch, settings)` → loss; one step of the online model's optimizer. `batch` is a
    `replay.Transition`, settings float32 [4]: gamma, reward_scale, huber_delta, grad_clip.
    `sync(tau)`: target ← tau·online + (1 - tau)·target.
    """

    def __init__(self, env, create_model, lr: float, *, double: bool, clipped: bool):
        self.model, self.target = create_model(env, lr), create_model(env, lr)
        self._double, self._clipped = double, clipped
        D = env.observation_space.shape[0]
        _build(self.model, self.target, D, int(env.action_space.n))
        states, numbers = tf.TensorSpec([None, D]), tf.TensorSpec([None])
        batch = [states, tf.TensorSpec([None], tf.int32), numbers, states, numbers]
        self.q_values = _traced(lambda s: _q_of(self.model, s), states)
        self.update = _traced(self._update, *batch, tf.TensorSpec([4]))
        self.sync = _traced(self._sync, tf.TensorSpec([]))

    def _update(self, *arguments):
        model, batch = self.model, Transition(*arguments[:-1])
        gamma, reward_scale, huber_delta, grad_clip = tf.unstack(arguments[-1])
        q_next = _q_of(self.target, batch.s_next)  # [B, A]
        if self._double:
            value_next = losses.double_value(q_next, _q_of(model, batch.s_next))  # [B]
        else:
            value_next = losses.greedy_value(q_next)  # [B]
        y = losses.target(batch.r, batch.terminal, value_next, gamma, reward_scale)  # [B]
        weights = [variable.value for variable in model.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            q_sa = losses.chosen_value(_q_of(model, batch.s, training=True), batch.action)
            loss = tf.reduce_mean(losses.loss(y - q_sa, huber_delta))  # []
            penalties = [tf.cast(penalty, tf.float32) for penalty in model.losses]
            # With the caller's own regularisers and the loss scale of his optimizer, mostly 1.
            scaled = model.optimizer.scale_loss(tf.add_n([loss, *penalties]))
        gradients = tape.gradient(scaled, weights, None, tf.UnconnectedGradients.ZERO)
        if self._clipped:
            norm = losses.global_norm(gradients) / model.optimizer.scale_loss(1.0)
            gradients = losses.clip_by_global_norm(gradients, norm, grad_clip)
        # Over replicas, though there is one, Keras sums through a custom gradient, and TensorFlow
        # keeps what it has traced of those for ever, 1.9 MB an agent; not so when it merges them.
        step = functools.partial(model.optimizer.apply, gradients, model.trainable_variables)
        replica = tf.distribute.get_replica_context()
        _ = replica.merge_call(lambda _: step()) if replica else step()
        return loss

    def _sync(self, tau):
        for online, aim in zip(self.model.weights, self.target.weights, strict=True):
            # A full copy is exact, also of weights that are no longer finite or were never real.
            mixed = online.value
            if keras.backend.is_float_dtype(aim.dtype):
                share = tf.cast(tau, aim.dtype)
                mixed = tf.where(share == 1, mixed, share * mixed + (1 - share) * aim.value)
            aim.assign(mixed)
        return tau


def _q_of(network, observations, training=False):
    q = network(observations, training=training)  # [B, A]
    return tf.cast(q, tf.float32)  # the caller may compute in another precision


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


def _traced(function: Callable, *signature: tf.TensorSpec) -> Callable:
    @functools.cache
    def traced():
        concrete = tf.function(function).get_concrete_function(*signature)
        return concrete, concrete.captured_inputs, [concrete.outputs[0].dtype]

    def call(*arguments):
        concrete, captured, outputs = traced()
        # The operation that a tf.function comes down to. Called so, an update takes 0.4 ms; through
        # the tf.function, whose Python inspects 30 arguments, 1.8 ms.
        return tf.raw_ops.StatefulPartitionedCall(
            args=[*arguments, *captured], Tout=outputs, f=concrete
        )[0].numpy()

    return call
