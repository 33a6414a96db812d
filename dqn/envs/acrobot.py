"""Acrobot-v1: swing a two-link pendulum up by a torque of -1, 0 or 1 N m (0, 1, 2) at its elbow.

Sutton 1996, "Generalization in reinforcement learning: successful examples using sparse coarse
coding", with the equations of motion of Sutton and Barto's book, as in Gymnasium's
`classic_control/acrobot.py`. State: θ₁ (0 hangs down), θ₂ (relative to link 1) [rad], θ̇₁, θ̇₂
[rad/s]; observation: cos θ₁, sin θ₁, cos θ₂, sin θ₂, θ̇₁, θ̇₂.
"""

import math

import tensorflow as tf

from dqn.envs import Dynamics

GRAVITY = 9.8  # [m/s²]
LENGTH = 1.0  # [m], of link 1
CENTRE_1, CENTRE_2 = 0.5, 0.5  # [m], a link's centre of mass from its joint
MASS_1, MASS_2 = 1.0, 1.0  # [kg]
INERTIA = 1.0  # [kg m²], of either link
SPEED_LIMIT_1, SPEED_LIMIT_2 = 4 * math.pi, 9 * math.pi  # [rad/s]
STEP = 0.2  # [s]
HEIGHT = 1.0  # [m], the goal of the free end above the joint of link 1
START = 0.1  # every coordinate starts uniformly in ±START


def reset(u):
    """Uniforms u [..., 4] → state [..., 4], uniform in ±0.1."""
    return -START + 2 * START * u


def step(state, action):
    """One Runge-Kutta step of 0.2 s; pays -1, and 0 for the step that reaches the height."""
    y = tf.unstack(state, axis=-1)  # four of [...]
    torque = tf.cast(action - 1, tf.float32)
    k1 = _derivative(y, torque)
    k2 = _derivative(_moved(y, STEP / 2, k1), torque)
    k3 = _derivative(_moved(y, STEP / 2, k2), torque)
    k4 = _derivative(_moved(y, STEP, k3), torque)
    slope = [a + 2 * b + 2 * c + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
    theta1, theta2, speed1, speed2 = _moved(y, STEP / 6, slope)
    theta1, theta2 = _wrapped(theta1), _wrapped(theta2)
    speed1 = tf.clip_by_value(speed1, -SPEED_LIMIT_1, SPEED_LIMIT_1)
    speed2 = tf.clip_by_value(speed2, -SPEED_LIMIT_2, SPEED_LIMIT_2)
    terminal = -tf.cos(theta1) - tf.cos(theta2 + theta1) > HEIGHT
    return tf.stack([theta1, theta2, speed1, speed2], -1), tf.where(terminal, 0.0, -1.0), terminal


def observe(state):
    """State [..., 4] → observation [..., 6]."""
    theta1, theta2, speed1, speed2 = tf.unstack(state, axis=-1)
    return tf.stack(
        [tf.cos(theta1), tf.sin(theta1), tf.cos(theta2), tf.sin(theta2), speed1, speed2], -1
    )


def _derivative(y, torque):
    """d/dt of (θ₁, θ₂, θ̇₁, θ̇₂), each [...]: the book's equations; cos(x - π/2) is sin x here."""
    theta1, theta2, speed1, speed2 = y
    cos2, sin2 = tf.cos(theta2), tf.sin(theta2)
    arm = MASS_2 * LENGTH * CENTRE_2
    d1 = (
        MASS_1 * CENTRE_1**2
        + MASS_2 * (LENGTH**2 + CENTRE_2**2 + 2 * LENGTH * CENTRE_2 * cos2)
        + 2 * INERTIA
    )
    d2 = MASS_2 * (CENTRE_2**2 + LENGTH * CENTRE_2 * cos2) + INERTIA
    phi2 = MASS_2 * CENTRE_2 * GRAVITY * tf.sin(theta1 + theta2)
    phi1 = (
        -arm * tf.square(speed2) * sin2
        - 2 * arm * speed2 * speed1 * sin2
        + (MASS_1 * CENTRE_1 + MASS_2 * LENGTH) * GRAVITY * tf.sin(theta1)
        + phi2
    )
    acceleration2 = (torque + d2 / d1 * phi1 - arm * tf.square(speed1) * sin2 - phi2) / (
        MASS_2 * CENTRE_2**2 + INERTIA - tf.square(d2) / d1
    )
    acceleration1 = -(d2 * acceleration2 + phi1) / d1
    return speed1, speed2, acceleration1, acceleration2


def _moved(y, time, slope):
    return [value + time * rate for value, rate in zip(y, slope, strict=True)]


def _wrapped(angle):
    """The same angle within ±π, in one pass where Gymnasium subtracts 2π until it is."""
    return angle - 2 * math.pi * tf.round(angle / (2 * math.pi))


DYNAMICS = Dynamics(reset, step, observe, observation_size=6, actions=3, num_random=4)
