"""Temporal-difference mathematics against tables worked out by hand, for [B] and [L, B] alike."""

import numpy as np
import pytest
import tensorflow as tf

from dqn.agents import losses

INF = float("inf")

Q_NEXT = np.array([[1.0, 3.0], [2.0, -1.0], [-4.0, -2.0]], np.float32)  # [B, A]
Q_NEXT_ONLINE = np.array([[5.0, 0.0], [0.0, 1.0], [1.0, 9.0]], np.float32)
REWARDS = np.array([1.0, 2.0, 10.0], np.float32)
TERMINALS = np.array([0.0, 0.0, 1.0], np.float32)


def both_shapes(function, *arrays):
    """`function` of the arrays as they are and as two lanes of them: the same numbers, twice."""
    alone = np.asarray(function(*arrays))
    lanes = np.asarray(function(*(np.stack([array, array]) for array in arrays)))
    np.testing.assert_array_equal(lanes, np.stack([alone, alone]))
    return alone


def test_dqn_bootstraps_from_the_greatest_value():
    np.testing.assert_array_equal(both_shapes(losses.greedy_value, Q_NEXT), [3.0, 2.0, -2.0])


def test_double_dqn_bootstraps_from_the_target_value_of_the_online_choice():
    value = both_shapes(losses.double_value, Q_NEXT, Q_NEXT_ONLINE)
    np.testing.assert_array_equal(value, [1.0, -1.0, -2.0])


def test_a_target_is_the_scaled_reward_and_the_discounted_bootstrap_unless_terminal():
    value_next = np.array([3.0, 2.0, -2.0], np.float32)
    y = both_shapes(
        lambda r, terminal, value: losses.target(r, terminal, value, 0.5, 0.1),
        REWARDS,
        TERMINALS,
        value_next,
    )
    np.testing.assert_allclose(y, [0.1 + 1.5, 0.2 + 1.0, 1.0], rtol=1e-6)


def test_each_lane_has_its_own_discount_and_reward_scale():
    ones = np.ones((2, 3), np.float32)
    gamma, scale = np.array([[0.5], [0.9]], np.float32), np.array([[1.0], [0.01]], np.float32)
    y = losses.target(ones, 0.0 * ones, 10 * ones, gamma, scale)
    np.testing.assert_allclose(y, [[6.0] * 3, [9.01] * 3], rtol=1e-6)


def test_the_chosen_value_is_that_of_the_action_taken():
    actions = np.array([1, 0, 1], np.int32)
    np.testing.assert_array_equal(
        both_shapes(losses.chosen_value, Q_NEXT, actions), [3.0, 2.0, -2.0]
    )


@pytest.mark.parametrize(
    ("huber_delta", "expected"),
    [
        (INF, [0.0, 0.25, 4.0, 9.0, 1e8]),
        (2.0, [0.0, 0.25, 4.0, 2 * (6 - 2), 2 * (2e4 - 2)]),
        (0.5, [0.0, 0.25, 0.5 * (4 - 0.5), 0.5 * (6 - 0.5), 0.5 * (2e4 - 0.5)]),
    ],
)
def test_the_loss_is_squared_up_to_delta_and_linear_beyond(huber_delta, expected):
    delta = np.array([0.0, -0.5, 2.0, -3.0, 1e4], np.float32)
    loss = both_shapes(lambda d: losses.loss(d, huber_delta), delta)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("huber_delta", "expected"), [(INF, [0.0, -1.0, 4.0, -6.0]), (2.0, [0.0, -1.0, 4.0, -4.0])]
)
def test_the_loss_has_the_slope_of_a_square_cut_off_at_delta(huber_delta, expected):
    delta = tf.constant([0.0, -0.5, 2.0, -3.0])
    with tf.GradientTape() as tape:
        tape.watch(delta)
        loss = losses.loss(delta, huber_delta)
    np.testing.assert_allclose(np.asarray(tape.gradient(loss, delta)), expected, rtol=1e-6)


def test_lanes_may_differ_in_huber_delta():
    loss = losses.loss(np.full((2, 2), 3.0, np.float32), np.array([[INF], [1.0]], np.float32))
    np.testing.assert_array_equal(loss, [[9.0, 9.0], [5.0, 5.0]])


GRADIENTS = [np.array([[3.0, 0.0]], np.float32), np.array([4.0], np.float32)]  # norm 5


@pytest.mark.parametrize(("limit", "factor"), [(INF, 1.0), (10.0, 1.0), (5.0, 1.0), (1.0, 0.2)])
def test_gradients_beyond_the_limit_are_scaled_down_to_it(limit, factor):
    tensors = [tf.constant(g) for g in GRADIENTS]
    norm = losses.global_norm(tensors)
    assert float(norm) == 5.0
    for clipped, gradient in zip(
        losses.clip_by_global_norm(tensors, norm, tf.constant(limit)), GRADIENTS, strict=True
    ):
        np.testing.assert_allclose(clipped, factor * gradient, rtol=1e-6)


def test_each_lane_is_clipped_by_its_own_norm_and_limit():
    tensors = [tf.constant(np.stack([g, g, 2 * g])) for g in GRADIENTS]
    norm = losses.global_norm(tensors, leading=1)
    np.testing.assert_array_equal(norm, [5.0, 5.0, 10.0])
    clipped = losses.clip_by_global_norm(tensors, norm, tf.constant([INF, 1.0, 1.0]))
    np.testing.assert_allclose(clipped[1], [[4.0], [0.8], [0.8]], rtol=1e-6)


def test_an_infinite_limit_leaves_every_bit_as_it_was():
    gradients = [tf.constant(np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32))]
    clipped = losses.clip_by_global_norm(gradients, losses.global_norm(gradients), tf.constant(INF))
    np.testing.assert_array_equal(clipped[0], gradients[0])
