"""Environments that break a habit each, registered by name: `env.id=strange:IntDone-v0`."""

from typing import ClassVar

import gymnasium
import numpy as np
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.spaces import Box, Discrete


class IntDone(CartPoleEnv):
    """`terminated` and `truncated` are whole numbers."""

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, int(terminated), np.int64(truncated), info


class Arrays(CartPoleEnv):
    """Everything is an array of one number, and the observation the same list each time."""

    def reset(self, **options):
        observation, info = super().reset(**options)
        self.observed = observation.tolist()
        return self.observed, info

    def step(self, action):
        observation, reward, terminated, _, info = super().step(action)
        self.observed[:] = observation.tolist()
        return self.observed, np.array([reward]), np.array(terminated), np.array([[0]]), info


class Once(CartPoleEnv):
    """Only one can exist at a time, as of one that listens on a port."""

    opened: ClassVar[list] = []
    made = 0

    def __init__(self, **kwargs):
        if Once.opened:
            raise OSError(98, "Address already in use")
        super().__init__(**kwargs)
        Once.opened.append(self)
        Once.made += 1

    def close(self):
        if self in Once.opened:
            Once.opened.remove(self)
        super().close()


class Walk(gymnasium.Env):
    """Two numbers, five steps; subclasses break one habit."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 4}
    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Discrete(2)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.seed = 0, seed
        return self.observe(), {}

    def step(self, action):
        self.t += 1
        return self.observe(), float(action), self.t == 5, False, {}

    def render(self):
        return np.full((4, 6, 3), 10 * self.t, np.uint8)

    def observe(self):
        return self.np_random.random(2).astype("f4")


class NoRender(Walk):
    def render(self):
        return None


class BadClose(Walk):
    def close(self):
        raise RuntimeError("the window is gone")


class Breaks(Walk):
    """Raises at a step of the episodes of one training, from its third episode on."""

    begun: ClassVar[dict] = {}

    def reset(self, *, seed=None, options=None):
        assert seed is None or 0 <= seed < 2**31
        Breaks.begun[id(self)] = Breaks.begun.get(id(self), 0) + 1
        return super().reset(seed=seed, options=options)

    def step(self, action):
        if Breaks.begun[id(self)] == 3 and self.t == 2 and Breaks.armed:
            Breaks.armed = False
            raise ConnectionError("the simulator has gone")
        return super().step(action)

    armed = False


class LateNaN(Walk):
    """From the 40th step on its rewards are no numbers."""

    steps = 0

    def step(self, action):
        self.steps += 1
        observation, reward, *rest = super().step(action)
        return observation, np.nan if self.steps > 40 else reward, *rest


class Raises(Walk):
    """Raises at its `at_reset`-th reset or `at_step`-th step."""

    def __init__(self, at_reset=0, at_step=0, **options):
        super().__init__(**options)
        self.at_reset, self.at_step, self.resets, self.steps = at_reset, at_step, 0, 0

    def reset(self, **options):
        self.resets += 1
        if self.resets == self.at_reset:
            raise SystemExit("no more")
        return super().reset(**options)

    def step(self, action):
        self.steps += 1
        if self.steps == self.at_step:
            raise OSError("gone")
        return super().step(action)


class Licensed(Walk):
    """As many can exist as there are licences; one is taken when it is made, or first reset."""

    taken: ClassVar[list] = []
    licences = 3

    def __init__(self, at_reset=False, **options):
        super().__init__(**options)
        if not at_reset:
            self.take()

    def reset(self, **options):
        self.take()
        return super().reset(**options)

    def take(self):
        if self not in Licensed.taken:
            if len(Licensed.taken) >= Licensed.licences:
                raise OSError("no licence is left")
            Licensed.taken.append(self)

    def close(self):
        if self in Licensed.taken:
            Licensed.taken.remove(self)


WALKS = (NoRender, BadClose, Breaks, LateNaN, Raises, Licensed, Walk)
for kind, limit in ((IntDone, 200), (Arrays, 200), (Once, 50), *((kind, None) for kind in WALKS)):
    gymnasium.register(f"{kind.__name__}-v0", kind, max_episode_steps=limit)
gymnasium.register("Plain-v0", "gymnasium.envs.classic_control:CartPoleEnv", max_episode_steps=200)
