"""Settings under which nothing is learnt or explored: a line before training, which goes ahead."""

import pytest
from conf_files import files, said
from tabular import PARSER, compose

from dqn.compose.traps import warnings_for
from dqn.config import Config, EnvConfig
from sweeps.search.space import corners
from sweeps.search.space_parser import search_space

TRAPS = [
    ({"epsilon_decay": 0.995}, "write epsilon_decay=0.005"),
    ({"epsilon_decay": 1}, "within 1 action,"),
    ({"epsilon_decay": 0.5, "epsilon_min": 0}, "within 10 actions"),
    ({"epsilon_decay": 0.046}, "write less"),
    ({"epsilon_schedule": "linear", "exploration_steps": 64}, "within 64 actions"),
    ({"learning_starts": 30_001}, "no update is ever due"),
    ({"steps": 63}, "no update is ever due"),
    ({"steps": 100, "train_freq": 101}, "no update is ever due"),
    ({"steps": 100, "episodes": 0, "batch_size": 51}, "no update is ever due"),
    ({"target_update": 30_000}, "the target network never moves"),
    ({"steps": 1000, "target_update": 1000}, "the target network never moves"),
    ({"epsilon_decay": 0}, "every action of the training is random"),
    ({"epsilon_schedule": "linear", "exploration_steps": 10**9}, "every action of the training"),
    ({"exploration_steps": 100}, "exploration_steps=100 has no effect"),
    ({"lr": 1e-50}, "lr=1e-50 is 0 as a 32-bit number"),
    ({"grad_clip": 1e-50}, "grad_clip=1e-50 is 0 as a 32-bit number"),
    ({"huber_delta": 1e-50}, "huber_delta=1e-50 is 0 as a 32-bit number"),
    ({"lr": 1e39}, "lr=1e+39 is infinite as a 32-bit number"),
    ({"reward_scale": 1e39}, "reward_scale=1e+39 is infinite as a 32-bit number"),
    ({"epsilon_decay": 1e-309}, "every action of the training is random"),
]  # fmt: skip
SOUND = [
    {}, {"epsilon_decay": 0.04}, {"epsilon_start": 0.05}, {"gamma": 0}, {"lr": 1e-30},
    {"epsilon_start": 0.5, "epsilon_decay": 0}, {"target_update": 29_999}, {"tau": 0.01},
    {"epsilon_min": 1, "epsilon_start": 1, "epsilon_decay": 0.995}, {"learning_starts": 29_999},
    {"steps": 64, "target_update": 60},
    {"epsilon_schedule": "linear", "exploration_steps": 65}, {"seeds": 1, "episodes": 1},
    {"steps": 10**6}, {"epsilon_start": 5e-324, "epsilon_min": 0}, {"grad_clip": 1e39},
    {"huber_delta": 1e39}, {"lr": 3.4e38}, {"buffer_size": 64, "learning_starts": 5000},
]  # fmt: skip


@pytest.mark.parametrize(("settings", "text"), TRAPS, ids=str)
def test_a_trap_is_one_line(settings, text):
    (found,) = warnings_for([Config(**settings)], [200]).values()
    assert text in found
    assert found.isprintable()


@pytest.mark.parametrize("settings", SOUND, ids=str)
def test_settings_that_work_are_no_trap(settings):
    assert warnings_for([Config(**settings)], [200]) == {}


def test_what_no_budget_bounds_is_not_certain():
    assert warnings_for([Config(target_update=10**6, learning_starts=10**6)], [0]) == {}
    (found,) = warnings_for([Config(epsilon_decay=0)], [0]).values()
    assert "random" in found


def test_jobs_share_a_line_of_each_kind():
    jobs = [Config(), *(Config(epsilon_decay=d, target_update=10**6) for d in (0.99, 0.995))]
    floor, target = warnings_for(jobs, [200] * 3).values()
    assert floor.startswith("epsilon_decay=0.99: ")
    assert floor.endswith(" (job 1, and 1 more)")
    assert target.endswith(" (job 1, and 1 more)")


def test_a_command_says_it_once_and_trains(line):
    assert line("epsilon_decay=0.995") == 0
    assert line.config.epsilon_decay == 0.995
    assert line.err.startswith("warning: epsilon_decay=0.995: ")
    assert len(line.err.splitlines()) == 1
    line.trained.clear()
    assert line("-m", "epsilon_decay=0.995,0.99", "lr=1e-3,1e-2") == 0
    assert len(line.trained) == 4
    assert len(line.err.splitlines()) == 1
    assert "(job 0, and 3 more)" in line.err


def of_a_study(**space):
    ends = corners(search_space([], space, compose, PARSER), compose)
    return [*warnings_for(ends, [200] * len(ends), of_all=True).values()]


def test_of_a_study_what_holds_for_every_trial_is_said():
    (found,) = of_a_study(epsilon_decay="interval(0.9,0.999)", lr="interval(1e-4,1e-2)")
    assert found.endswith("(every trial is like that)")
    assert of_a_study(epsilon_decay="interval(0.001,0.999)") == []
    assert of_a_study(target_update="choice(10,1000000)") == []
    assert len(of_a_study(target_update="choice(50000,1000000)")) == 1


@pytest.mark.parametrize("preset", files("preset"))
def test_no_shipped_preset_or_environment_is_a_trap(preset):
    for env in files("env"):
        mapping = {**said("preset", preset), "env": said("env", env)}
        limit = mapping["env"]["max_episode_steps"] or 1000
        if env == "gymnasium":
            mapping["env"] = EnvConfig("LunarLander-v3")
        assert warnings_for([Config.from_mapping(mapping)], [limit]) == {}


@pytest.mark.parametrize("sweep", files("sweep"))
def test_no_shipped_sweep_is_a_trap(sweep):
    params = said("sweep", sweep)["hydra"]["sweeper"]["params"]
    assert of_a_study(**params) == []
    for name, text in params.items():  # of a grid and a table, any of its values
        values = (
            [] if "(" in text else search_space([], {name: text}, compose, PARSER)[name].choices
        )
        configs = [compose({name: value}) for value in values]
        assert warnings_for(configs, [200] * len(configs)) == {}


def test_of_a_study_a_number_too_large_is_said_where_every_one_is():
    assert of_a_study(lr="interval(1e-3,1e39)") == []
    assert "infinite" in str(of_a_study(lr="interval(1e39,1e40)"))
    assert of_a_study(huber_delta="choice(0.5,inf)", grad_clip="choice(1,inf)") == []
