"""Epsilon as a closed form of the actions taken, held against float64."""

import numpy as np
import pytest
import tensorflow as tf

from dqn.agents import exploration

ACTIONS = np.unique(np.r_[0:8000, np.geomspace(8000, 1e7, 500).astype(int)]).astype(np.int32)
# float32 keeps ln(1 - decay) and n·ln(1 - decay), here at least -3, to 6e-8 each.
ROUNDING = 5e-7


@pytest.mark.parametrize("compiled", [False, True])
def test_epsilon_after_n_actions_is_the_exercises_rule(compiled):
    rule = tf.function(exploration.exponential, jit_compile=True)
    rule = rule if compiled else exploration.exponential
    epsilon = rule(tf.constant(ACTIONS), 1.0, 0.05, 5e-4)
    expected = np.maximum(0.05, 0.9995 ** ACTIONS.astype(np.float64))
    np.testing.assert_allclose(epsilon, expected, rtol=ROUNDING)


def test_the_closed_form_is_the_product_taken_after_each_action():
    product, products = 1.0, []
    for _ in range(7000):
        products.append(product)
        product = max(0.05, product * (1 - 0.0005))
    epsilon = exploration.exponential(tf.range(7000), 1.0, 0.05, 5e-4)
    np.testing.assert_allclose(epsilon, products, rtol=ROUNDING)


@pytest.mark.parametrize("steps", [1, 5000, 10**6, 10**7])
def test_linear_epsilon_falls_evenly_and_then_stays(steps):
    epsilon = exploration.linear(tf.constant(ACTIONS), 0.9, 0.05, steps)
    expected = 0.9 - 0.85 * np.minimum(ACTIONS.astype(np.float64) / steps, 1.0)
    np.testing.assert_allclose(epsilon, expected, rtol=2e-6)


def test_a_decay_of_one_is_over_after_one_action_and_a_decay_of_zero_never():
    actions = tf.constant([0, 1, 2, 10**7])
    np.testing.assert_array_equal(
        exploration.exponential(actions, 1.0, 0.25, 1.0), [1.0, 0.25, 0.25, 0.25]
    )
    np.testing.assert_array_equal(exploration.exponential(actions, 0.5, 0.25, 0.0), [0.5] * 4)


def test_lanes_may_differ_in_every_setting():
    actions = tf.constant([10, 10])
    start, minimum = tf.constant([1.0, 0.5]), tf.constant([0.0, 0.1])
    np.testing.assert_allclose(
        exploration.exponential(actions, start, minimum, tf.constant([0.1, 0.01])),
        [0.9**10, 0.5 * 0.99**10],
        rtol=ROUNDING,
    )
    np.testing.assert_allclose(
        exploration.linear(actions, start, minimum, tf.constant([20, 100])), [0.5, 0.46], rtol=1e-6
    )
