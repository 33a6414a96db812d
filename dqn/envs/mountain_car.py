"""MountainCar-v0: drive a weak car out of a valley; push left (0), not at all (1) or right (2).

Moore 1990, "Efficient memory-based learning for robot control", as in Gymnasium's
`classic_control/mountain_car.py`. State = observation: position, velocity.
"""

import tensorflow as tf

from dqn.envs import Dynamics

FORCE = 0.001
GRAVITY = 0.0025
POSITION_LOW, POSITION_HIGH = -1.2, 0.6
SPEED_LIMIT = 0.07
GOAL = 0.5
START_LOW, START_HIGH = -0.6, -0.4  # a car starts at rest


def reset(u):
    """Uniforms u [..., 1] → state [..., 2]: position uniform in [-0.6, -0.4), velocity 0."""
    position = START_LOW + (START_HIGH - START_LOW) * u  # [..., 1]
    return tf.concat([position, tf.zeros_like(position)], -1)


def step(state, action):
    """One step; pays -1, the step that reaches the goal included."""
    position, velocity = tf.unstack(state, axis=-1)
    push = tf.cast(action - 1, tf.float32) * FORCE
    velocity = velocity + (push + tf.cos(3 * position) * -GRAVITY)
    velocity = tf.clip_by_value(velocity, -SPEED_LIMIT, SPEED_LIMIT)
    position = tf.clip_by_value(position + velocity, POSITION_LOW, POSITION_HIGH)
    # The left wall stops the car; there is none on the right.
    velocity = tf.where((position == POSITION_LOW) & (velocity < 0.0), 0.0, velocity)
    terminal = (position >= GOAL) & (velocity >= 0.0)
    return tf.stack([position, velocity], -1), -tf.ones_like(position), terminal


def observe(state):
    """State [..., 2] → itself."""
    return state


DYNAMICS = Dynamics(reset, step, observe, observation_size=2, actions=3, num_random=1)
