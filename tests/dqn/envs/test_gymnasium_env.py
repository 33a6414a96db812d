import importlib.util
import subprocess
import sys
import textwrap

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from dqn.config import Config, EnvConfig
from dqn.envs import gymnasium_env
from dqn.envs.gymnasium_env import EnvInfo, describe, make
from dqn.runtime.errors import UserError
from dqn.storage.thresholds import Thresholds


class Own(gymnasium.Env):
    """A user's environment that records what is done to it."""

    def __init__(self, actions=None, observations=None, first=(0.0, 0.0)):
        self.action_space = actions or spaces.Discrete(2)
        self.observation_space = observations or spaces.Box(-1, 1, (2,))
        self.first = first
        self.taken = []
        self.closed = False
        Own.latest = self

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.array(self.first, np.float32), {}

    def step(self, action):
        self.taken.append(action)
        return np.array(self.first, np.float32), 1.0, False, False, {}

    def close(self):
        self.closed = True


@pytest.fixture
def register():
    """Register an environment for one test."""
    before = dict(gymnasium.registry)
    yield lambda entry_point, env_id="Own-v0", **about: gymnasium.register(
        env_id, entry_point, **about
    )
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


@pytest.fixture
def module(tmp_path, monkeypatch, register):
    """Write a module that can be imported in one test."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        names.append(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)


def refusal(env: EnvConfig, function=describe) -> str:
    with pytest.raises(UserError) as caught:
        function(env)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("env.")
    assert "got " in line
    assert ";" in line
    return line


# What is described and made


def test_a_task_is_what_the_registration_says():
    assert describe(EnvConfig("CartPole-v0")) == EnvInfo(4, 2, 200, 195.0)
    assert describe(EnvConfig("Acrobot-v1")) == EnvInfo(6, 3, 500, -100.0)


def test_the_configuration_overrules_the_registration():
    env = EnvConfig("CartPole-v1", max_episode_steps=7, solved_return=6.5)
    assert describe(env) == EnvInfo(4, 2, 7, 6.5)


def test_without_a_limit_or_threshold_a_task_has_none(register):
    register(Own)
    assert describe(EnvConfig("Own-v0")) == EnvInfo(2, 2, 0, None)


def test_a_time_limit_truncates_at_its_step():
    env = make(EnvConfig("MountainCar-v0", max_episode_steps=3))
    env.reset(seed=0)
    assert [env.step(0)[3] for _ in range(3)] == [False, False, True]
    env.close()


def test_arguments_reach_the_environment():
    env = make(EnvConfig("CartPole-v1", kwargs={"sutton_barto_reward": True}))
    env.reset(seed=0)
    assert env.step(0)[1] == 0.0
    env.close()


def test_describing_closes_the_environment_also_when_it_is_refused(register):
    register(Own)
    describe(EnvConfig("Own-v0"))
    assert Own.latest.closed
    register(Own, "Broken-v0", kwargs={"first": (0.0,)})
    refusal(EnvConfig("Broken-v0"))
    assert Own.latest.closed


def test_actions_that_start_elsewhere_are_counted_from_zero(register):
    register(Own, kwargs={"actions": spaces.Discrete(3, start=-1)}, max_episode_steps=10)
    assert describe(EnvConfig("Own-v0")) == EnvInfo(2, 3, 10, None)
    env = make(EnvConfig("Own-v0"))
    assert env.action_space == spaces.Discrete(3)
    env.reset(seed=0)
    for action in range(3):
        env.step(action)
    assert Own.latest.taken == [-1, 0, 1]


def test_a_module_before_the_colon_is_imported_and_registers_the_task(module):
    module(
        "lane_envs",
        """
        import gymnasium
        from gymnasium.wrappers import FlattenObservation

        def flat(**arguments):
            return FlattenObservation(gymnasium.make("FrozenLake-v1", **arguments))

        gymnasium.register("FlatLake-v0", flat)
        """,
    )
    env = EnvConfig("lane_envs:FlatLake-v0", kwargs={"is_slippery": False})
    assert describe(env) == EnvInfo(16, 4, 100, None)


def test_frames_are_drawn_where_the_environment_can():
    env = make(EnvConfig("CartPole-v0"), render=True)
    env.reset(seed=0)
    assert env.render_mode == "rgb_array"
    assert np.asarray(env.render(), np.uint8).shape == (400, 600, 3)
    env.close()


@pytest.mark.parametrize("modes", [[], ["ansi"], ["rgb_array"]], ids=str)
def test_an_environment_that_cannot_draw_is_made_without_frames(register, monkeypatch, modes):
    monkeypatch.setattr(Own, "metadata", {"render_modes": modes})
    register(Own)  # its constructor takes no render_mode
    assert make(EnvConfig("Own-v0"), render=True).render_mode is None


def test_nothing_is_printed_and_tensorflow_stays_out():
    program = """
        import sys
        from dqn.config import Config, EnvConfig
        from dqn.envs.gymnasium_env import describe
        from dqn.plotting.frames import drawable
        describe(EnvConfig("CartPole-v0"))
        env, _ = drawable(EnvConfig("CartPole-v0"))
        env.reset(seed=0)
        env.render()
        assert not {"tensorflow", "keras", "pandas", "matplotlib"} & set(sys.modules)
    """
    command = [sys.executable, "-W", "always", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What is refused


@pytest.mark.parametrize(
    ("env_id", "remedy"),
    [
        ("CartPole-v3", "did you mean CartPole-v1 or CartPole-v0?"),
        ("cartpole", "did you mean CartPole-v1 or CartPole-v0?"),
        ("MountainCar", "did you mean MountainCar-v0 or MountainCarContinuous-v0?"),
        ("Walker2D-v4", "did you mean Walker2d-v5 or Walker2d-v4 or Walker2d-v3?"),
        ("ALE/Pong-v5", "write env.id=ale_py:ALE/Pong-v5 +env.kwargs.obs_type=ram"),
        ("no such thing", "imports the module of your own that registers it"),
        ("json:Xyzzy-v0", "imports the module of your own that registers it"),
    ],
)
def test_an_unknown_id_is_refused_with_near_ones(env_id, remedy):
    line = refusal(EnvConfig(env_id), make)
    assert line.startswith(f"env.id must be registered in Gymnasium, got '{env_id}'; ")
    assert line.endswith(remedy)


@pytest.mark.parametrize(
    ("env_id", "has"),
    [
        ("Pendulum-v1", "Discrete actions, got 'Pendulum-v1' with a Box of shape (1,);"),
        ("Blackjack-v1", "flat Box, got 'Blackjack-v1' with Tuple(Discrete(32), Discrete(11), "),
        ("FrozenLake-v1", "flat Box, got 'FrozenLake-v1' with Discrete(16);"),
    ],
)
def test_spaces_dqn_cannot_use_are_refused_by_what_they_are(env_id, has):
    assert has in refusal(EnvConfig(env_id))


@pytest.mark.parametrize(
    ("about", "has"),
    [
        ({"actions": spaces.MultiDiscrete([2, 3])}, "Discrete actions, got 'Own-v0' with Multi"),
        ({"observations": spaces.Box(0, 255, (8, 8, 3), np.uint8)}, "a Box of shape (8, 8, 3);"),
        ({"observations": spaces.Box(-1, 1, ())}, "a Box of shape ();"),
        ({"observations": spaces.Dict(x=spaces.Box(-1, 1, (2,)))}, "with Dict('x': Box("),
        (
            {"first": (0.0, 0.0, 0.0)},
            "an array of shape (3,), must give shape (2,), that",
        ),
        ({"first": "two"}, "can be stepped, got 'Own-v0' whose reset raised ValueError: "),
    ],
    ids=["multi", "pixels", "scalar", "dict", "other shape", "no reset"],
)
def test_an_environment_of_ones_own_is_refused_by_what_it_has(register, about, has):
    register(Own, kwargs=about)
    assert has in refusal(EnvConfig("Own-v0"))


@pytest.mark.parametrize(
    ("kwargs", "has"),
    [
        ({"mass": 2}, "keyword argument 'mass'; it takes sutton_barto_reward"),
        ({"render_mode": "human"}, "env.kwargs must be without render_mode, got {'render_mode': "),
        ({"max_episode_steps": 9}, "multiple values for keyword argument 'max_episode_steps';"),
    ],
    ids=str,
)
def test_arguments_the_environment_refuses_are_told(kwargs, has):
    line = refusal(EnvConfig("CartPole-v1", kwargs=kwargs))
    assert line.startswith("env.kwargs must ")
    assert has in line


def test_a_module_that_is_not_there_is_told_from_one_that_fails(module):
    assert "found, got 'nowhere:X-v0'; run python -m dqn.run in the folder that holds nowhere" in (
        refusal(EnvConfig("nowhere:X-v0"))
    )
    module("needy_envs", "import a_missing_package")
    assert "got 'needy_envs:X-v0' without a_missing_package; install" in (
        refusal(EnvConfig("needy_envs:X-v0"))
    )
    module("failing_envs", "raise RuntimeError('first line\\nsecond line')")
    assert "got 'failing_envs:X-v0': RuntimeError: first line second line;" in (
        refusal(EnvConfig("failing_envs:X-v0"))
    )


def test_a_constructor_that_fails_is_told(register):
    def broken():
        raise OSError("no licence")

    register(broken)
    assert "can be made, got 'Own-v0': OSError: no licence;" in refusal(EnvConfig("Own-v0"))


@pytest.mark.parametrize(("about", "has"), [
    ({"max_episode_steps": "abc"}, "at least 1 as max_episode_steps, got 'Own-v0' with 'abc'"),
    ({"max_episode_steps": 2.5}, "a whole number of at least 1 as max_episode_steps, got"),
    ({"max_episode_steps": 0}, "a whole number of at least 1 as max_episode_steps, got"),
    ({"max_episode_steps": [3]}, None),
    ({"reward_threshold": "abc"}, "with a number as reward_threshold, got 'Own-v0' with 'abc'"),
    ({"reward_threshold": [1, 2]}, "with a number as reward_threshold, got 'Own-v0' with [1, 2]"),
    ({"max_episode_steps": "3", "reward_threshold": np.array([1.5])}, None),
])  # fmt: skip
def test_what_it_is_registered_with_is_a_number_or_refused(about, has, register):
    register(Own, **about)
    env = EnvConfig("Own-v0")
    if has is None:
        assert describe(env).max_episode_steps == 3
        assert describe(env).solved_return in (None, 1.5)
    else:
        with pytest.raises(UserError) as caught:
            describe(env)
        assert has in str(caught.value)
        assert "\n" not in str(caught.value)
        if "max_episode_steps" in about:  # the user's own is taken instead
            assert describe(EnvConfig("Own-v0", 7)).max_episode_steps == 7
    assert Thresholds(Config(env=env), imports=False).of(env) in (None, 1.5)


def test_a_module_a_function_or_arguments_that_end_the_program_are_told_and_end_nothing(
    module, register
):
    module("ending_envs", "import sys\nsys.exit('no simulator')")
    text = "can be made, got '{}': SystemExit: no simulator;"
    assert text.format("ending_envs:X-v0") in refusal(EnvConfig("ending_envs:X-v0"))
    gymnasium.register("Ending-v0", "ending_envs:Env")
    try:
        assert text.format("Ending-v0") in refusal(EnvConfig("Ending-v0"))
    finally:
        del gymnasium.registry["Ending-v0"]

    def ends(port=0):
        raise SystemExit("no simulator")

    register(ends)
    assert text.format("Own-v0") in refusal(EnvConfig("Own-v0"))
    line = refusal(EnvConfig("Own-v0", kwargs={"port": 2}))
    assert "arguments of Own-v0, got {'port': 2}: SystemExit: no simulator; it takes port" in line


@pytest.mark.parametrize(
    ("env_id", "package", "remedy"),
    [
        ("LunarLander-v3", "Box2D", "pip install 'gymnasium[box2d]'"),
        ("Hopper-v5", "mujoco", "pip install 'gymnasium[mujoco]'"),
        ("phys2d/CartPole-v1", "jax", "pip install 'gymnasium[jax]'"),
        ("ale_py:ALE/Pong-v5", "ale_py", "pip install 'gymnasium[atari]'"),
    ],
)
def test_a_missing_package_is_named_with_its_installation(monkeypatch, env_id, package, remedy):
    """Also where it is installed: its import fails here as if it were not."""
    for name in list(sys.modules):
        if name.startswith(
            tuple(f"gymnasium.envs.{kind}" for kind in ("box2d", "mujoco", "phys2d"))
        ):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(gymnasium_env, "_described", {})  # another test may have looked at it
    line = refusal(EnvConfig(env_id))
    assert f"whose packages are installed, got '{env_id}' without {package}; " in line
    assert remedy in line


def test_lunar_lander_is_described_or_its_package_is_named():
    env = EnvConfig("LunarLander-v3")
    if importlib.util.find_spec("Box2D") is None:
        assert "without Box2D; pip install 'gymnasium[box2d]'" in refusal(env)
        return
    assert describe(env) == EnvInfo(8, 4, 1000, 200.0)
    lander = make(env)
    lander.reset(seed=0)
    assert lander.step(2)[0].shape == (8,)
    lander.close()
