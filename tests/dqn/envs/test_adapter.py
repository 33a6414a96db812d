"""What an environment gives, taken for what it plainly is, or named."""

from decimal import Decimal
from fractions import Fraction

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from dqn.config import EnvConfig
from dqn.envs.adapter import Adapter, NotTakenError, flag, number, observation
from dqn.envs.gymnasium_env import describe, make
from dqn.runtime.errors import EnvError, UserError

NOT_A_NUMBER = [None, "1", np.array(["1"]), [1, 2], 1j, {}, {1}, object(), [], np.array([1, 2]),
                10**400, np.datetime64(1, "s"), [None], b"1",
                np.ma.masked, np.ma.array([2], mask=True)]  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [2, True + 1, np.float64(2), np.float32(2), np.float16(2), np.int64(2), np.uint8(2),
     np.longdouble(2), np.array(2.0), np.array([2]), np.array([[2.0]]), [2.0], Decimal(2),
     Fraction(4, 2), np.array([Decimal(2)]), (np.array([2]),)],
    ids=repr,
)  # fmt: skip
def test_a_number_is_one_however_it_is_written(given):
    assert number(given) == 2.0
    assert isinstance(number(given), float)


@pytest.mark.parametrize("given", NOT_A_NUMBER, ids=lambda x: repr(x)[:20])
def test_what_is_no_number_is_none(given):
    with pytest.raises(NotTakenError, match="must give a number"):
        number(given)
    with pytest.raises(NotTakenError, match="must give True or False"):
        flag(given)


@pytest.mark.parametrize("one", [bool, int, float, np.bool_, np.int8, np.float64, np.array,
                                 lambda x: np.array([x]), lambda x: [x]])  # fmt: skip
def test_yes_and_no(one):
    assert flag(one(True)) is True
    assert flag(one(False)) is False


@pytest.mark.parametrize("given", [2, -1, 0.5, np.nan, "True"])
def test_neither_yes_nor_no(given):
    with pytest.raises(NotTakenError, match="must give True or False"):
        flag(given)


@pytest.mark.parametrize(
    "given",
    [[0, 1], (0, 1), np.array([0, 1]), np.array([0, 1], np.float16), np.array([False, True]),
     np.array([0, 1], object), [np.array(0), np.array([1])], [Decimal(0), Fraction(1)],
     np.arange(4.0)[::2] / 2, [np.array([0.0]), np.array([1.0])], np.array([0, 1], ">f8"),
     [[0, 1]], np.array([[0, 1]]), np.array([[[0.0, 1.0]]], "f4"), ((0, 1),),
     np.ma.array([0, 1], mask=[False, False])],
    ids=repr,
)  # fmt: skip
def test_a_vector_is_one_however_it_is_written(given):
    taken = observation(given, 2)
    assert taken.dtype == np.float32
    assert taken.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("given", [3, np.float64(3), np.array(3), [3], np.array([[3.0]])], ids=repr)
def test_one_number_is_a_vector_of_one(given):
    assert observation(given, 1).tolist() == [3.0]


@pytest.mark.parametrize(
    "given",
    [None, "two", ["1", "2"], [1, [2, 3]], {"a": 1}, np.arange(3.0), 1.0, (1,), [1j, 2],
     np.array([[1], [2]]), np.ones((2, 2)), [[1, 2], [3, 4]], [None, 1], [],
     np.ma.array([1, 2], mask=[False, True]), np.ma.array([[1, 2]], mask=True),
     [np.ma.masked, 1]],
    ids=repr,
)  # fmt: skip
def test_what_is_no_such_vector_is_none(given):
    with pytest.raises(NotTakenError, match="must give"):
        observation(given, 2)


class Odd(gymnasium.Env):
    """Gives what it is made with."""

    action_space = Discrete(2)
    observation_space = Box(-1, 1, (2,), np.float32)

    def __init__(self, first=((0.0, 0.0), {}), then=((0.0, 0.0), 1.0, False, False, {})):
        self.first, self.then = first, then

    def reset(self, *, seed=None, options=None):
        return self.first

    def step(self, action):
        return self.then


class Shared(Odd):
    """Has one array, which every step changes; nobody may write to it but itself."""

    def reset(self, *, seed=None, options=None):
        self.array = np.zeros(2)
        return self._seen(), {}

    def step(self, action):
        self.array += 1
        return self._seen(), 1.0, False, False, {}

    def _seen(self):
        view = self.array.view()
        view.flags.writeable = False
        return view


def test_an_array_that_the_environment_goes_on_with_is_copied():
    env = Adapter(Shared(), "Shared", 2)
    seen = [env.reset(0), env.step(0)[0], env.step(0)[0]]
    assert [s.tolist() for s in seen] == [[0, 0], [1, 1], [2, 2]]
    assert all(s.flags.writeable for s in seen)


STEP = ((0.0, 0.0), 1.0, False, False, {})


def but(place, value):
    return *STEP[:place], value, *STEP[place + 1 :]


REFUSED = {
    "no tuple": ({"first": np.zeros(2)}, "reset gave an array of shape (2,) of float64, must"),
    "old reset": ({"first": [0.0, 0.0]}, "array of shape (), must give shape (2,)"),
    "None reset": ({"first": None}, "reset gave None, must give 2: observation, info"),
    "old step": ({"then": STEP[:4]}, "step gave 4 values, must give 5: observation, reward,"),
    "None step": ({"then": None}, "step gave None, must give 5"),
    "reward None": ({"then": but(1, None)}, "step gave reward None, must give a number"),
    "reward text": ({"then": but(1, "1")}, "step gave reward '1', must give a number"),
    "two rewards": ({"then": but(1, np.ones(2))}, "gave reward an array of shape (2,), must give"),
    "reward nan": ({"then": but(1, np.nan)}, "step gave reward nan, must give finite"),
    "reward large": ({"then": but(1, 1e39)}, "step gave reward 1e+39, must give finite 32-bit"),
    "terminated None": ({"then": but(2, None)}, "gave terminated None, must give True or False"),
    "truncated text": ({"then": but(3, "no")}, "gave truncated 'no', must give True or False"),
    "shape": ({"then": but(0, np.zeros(3))}, "an array of shape (3,), must give shape (2,),"),
    "first inf": ({"first": ((np.inf, 0.0), {})}, "reset gave observation [inf, 0.0], must"),
    "complex": ({"then": but(0, np.zeros(2, complex))}, "complex128, must give numbers"),
    "observation None": ({"first": (None, {})}, "reset gave observation None, must give"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_costs_one_line_before_training(case):
    kwargs, has = REFUSED[case]
    gymnasium.register("Odd-v0", Odd, kwargs=kwargs)
    try:
        with pytest.raises(UserError) as refused:
            describe(EnvConfig("Odd-v0"))
    finally:
        del gymnasium.registry["Odd-v0"]
    line = str(refused.value)
    assert has in line
    assert "Odd-v0" in line
    assert "fix its" in line
    assert "\n" not in line


def registered(kind, **about):
    gymnasium.register("Odd-v0", kind, **about)
    return EnvConfig("Odd-v0")


@pytest.fixture
def odd():
    yield registered
    gymnasium.registry.pop("Odd-v0", None)


@pytest.mark.parametrize(("kind", "has"), [
    (type("Unseeded", (Odd,), {"reset": lambda self: ((0.0, 0.0), {})}), "reset must take seed="),
    (type("Spaceless", (Odd,), {"observation_space": None}), "with none;"),
    (type("Actionless", (Odd,), {"action_space": property(lambda self: 1 / 0)}), "with none;"),
    (type("Leaves", (Odd,), {"step": lambda self, a: exit()}), "step raised SystemExit"),
])  # fmt: skip
def test_other_habits_are_refused_in_one_line_too(kind, has, odd):
    with pytest.raises(UserError) as refused:
        describe(odd(kind))
    assert has in str(refused.value)


def test_a_wrapper_that_unpacks_an_old_step_is_told_what_must_be_given(odd):
    env = odd(Odd, kwargs={"then": STEP[:4]}, max_episode_steps=9)
    with pytest.raises(UserError, match=r"step must give 5: observation, reward, .*expected 5"):
        describe(env)


@pytest.mark.parametrize("metadata", [None, [], {"render_modes": None}, {"render_modes": 3}, {}])
def test_metadata_of_any_kind_is_no_hindrance(metadata, odd):
    env = odd(type("Bare", (Odd,), {"metadata": metadata}))
    assert describe(env).actions == 2
    assert make(env, render=True).render_mode is None


def test_a_limit_that_numpy_counts_is_one(odd):
    env = odd(Odd, max_episode_steps=np.int64(7), reward_threshold=np.float32(2))
    task = describe(env)
    assert (task.max_episode_steps, type(task.max_episode_steps)) == (7, int)


def test_one_environment_is_made_to_describe_it_and_none_the_next_time(odd):
    made = []
    env = odd(type("Counted", (Odd,), {"__init__": lambda self: made.append(Odd.__init__(self))}))
    describe(env)
    describe(env)
    assert len(made) == 1
    del gymnasium.registry["Odd-v0"]
    describe(registered(Odd, max_episode_steps=3))
    assert describe(env).max_episode_steps == 3


def test_arguments_that_are_equal_and_not_the_same_are_two_environments(odd):
    class Sized(Odd):
        def __init__(self, wide=False):
            size = 3 if wide is True else 2
            self.observation_space = Box(-1, 1, (size,))
            super().__init__(((0.0,) * size, {}), ((0.0,) * size, 1.0, False, False, {}))

    odd(Sized)
    sizes = [describe(EnvConfig("Odd-v0", kwargs={"wide": w})).observation_size for w in (1, True)]
    assert sizes == [2, 3]


def test_a_seed_has_31_bits():
    seeds = []
    env = Odd()
    env.reset = lambda *, seed=None: seeds.append(seed) or env.first
    for seed in (5, np.int64(2**31 + 5), 2**32 - 1, None):
        Adapter(env, "Odd", 2).reset(seed)
    assert seeds == [5, 5, 2**31 - 1, None]


def test_an_error_says_where_it_was_at():
    error = EnvError("X-v0", "step", "raised OSError: gone")
    assert str(error.at(3, 12345)) == "X-v0: step raised OSError: gone (seed 3, step 12345)"
