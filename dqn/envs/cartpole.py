"""CartPole-v0 and -v1: balance a pole on a cart by pushing it left (0) or right (1).

Barto, Sutton and Anderson 1983, "Neuronlike adaptive elements that can solve difficult learning
control problems", without friction, as in Gymnasium's `classic_control/cartpole.py` (not `phys2d`,
whose `polemass_length` adds where it should multiply).
State = observation: x [m], ẋ [m/s], θ [rad, 0 upright], θ̇ [rad/s].
"""

import math

import tensorflow as tf

from dqn.envs import Dynamics

GRAVITY = 9.8  # [m/s²]
CART_MASS = 1.0  # [kg]
POLE_MASS = 0.1  # [kg]
TOTAL_MASS = POLE_MASS + CART_MASS
HALF_LENGTH = 0.5  # [m], of the pole
POLE_MOMENT = POLE_MASS * HALF_LENGTH  # [kg m]
FORCE = 10.0  # [N]
STEP = 0.02  # [s]
X_LIMIT = 2.4  # [m]
THETA_LIMIT = 12 * 2 * math.pi / 360  # [rad]
START = 0.05  # every coordinate starts uniformly in ±START


def reset(u):
    """Uniforms u [..., 4] → state [..., 4], uniform in ±0.05."""
    return -START + 2 * START * u


def step(state, action):
    """One Euler step of 0.02 s; pays 1, the failing step included."""
    x, x_dot, theta, theta_dot = tf.unstack(state, axis=-1)
    force = tf.where(action == 1, FORCE, -FORCE)
    cos, sin = tf.cos(theta), tf.sin(theta)
    pushed = (force + POLE_MOMENT * tf.square(theta_dot) * sin) / TOTAL_MASS
    theta_acc = (GRAVITY * sin - cos * pushed) / (
        HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * tf.square(cos) / TOTAL_MASS)
    )
    x_acc = pushed - POLE_MOMENT * theta_acc * cos / TOTAL_MASS
    # Explicit Euler: positions move by the velocities of before the step.
    x = x + STEP * x_dot
    x_dot = x_dot + STEP * x_acc
    theta = theta + STEP * theta_dot
    theta_dot = theta_dot + STEP * theta_acc
    terminal = (tf.abs(x) > X_LIMIT) | (tf.abs(theta) > THETA_LIMIT)
    return tf.stack([x, x_dot, theta, theta_dot], -1), tf.ones_like(x), terminal


def observe(state):
    """State [..., 4] → itself."""
    return state


DYNAMICS = Dynamics(reset, step, observe, observation_size=4, actions=2, num_random=4)
