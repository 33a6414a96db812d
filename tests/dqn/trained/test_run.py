"""A run as an object: its tables, networks, figures and its episode."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import dqn
from dqn.plotting.episode_recorder import Rollout
from dqn.runtime.errors import UserError
from dqn.trained.played import Played

# Keras's
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SMALL = {"hidden": [8, 4], "episodes": 15, "test_episodes": 2, "workers": 0, "progress": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "a"
    dqn.train(seeds=2, folder=path, **SMALL)
    return path


@pytest.fixture
def run(folder):
    yield dqn.load(folder)
    plt.close("all")


def test_tables_are_those_of_the_files_with_typed_columns(run):
    for frame, name in ((run.seeds, "seeds.csv"), (run.trials, "trials.csv")):
        pd.testing.assert_frame_equal(frame, pd.read_csv(run.path / name), check_dtype=False)
    pd.testing.assert_frame_equal(run.episodes, pd.read_parquet(run.path / "episodes.parquet"))
    types = run.seeds.dtypes.astype(str)
    wanted = {"trial": "int64", "lr": "float64", "double": "bool", "batch_size": "int64",
              "solved_at": "Int64", "collapse": "float64", "seconds": "float64"}  # fmt: skip
    assert {name: types[name] for name in wanted} == wanted
    types = run.trials.dtypes.astype(str)
    wanted = {"seeds_done": "int64", "same_as": "Int64", "solved_at": "float64"}
    assert {name: types[name] for name in wanted} == wanted


def test_the_network_of_any_seed_is_the_one_that_was_trained(run, tmp_path):
    best = run.network()
    with pytest.warns(UserWarning, match="was not kept: it is trained again") as caught:
        other = run.network(1 - best.seed, progress=False)
    assert len(caught) == 1
    assert run.network(1 - best.seed) is other  # not once more
    alone = dqn.train(seeds=1, first_seed=1 - best.seed, folder=tmp_path / "alone", **SMALL)
    for one, another in zip(alone.network().weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, another)
    observations = np.ones((3, 4), "float32")
    q = run.model(other.seed)(observations).numpy()
    np.testing.assert_allclose(q, alone.model()(observations).numpy(), rtol=1e-6)
    assert q.shape == (3, 2)


def test_a_seed_that_is_not_there_is_refused(run):
    with pytest.raises(UserError, match="trial 0 must have seed 7, has 0, 1") as refused:
        run.model(7)
    assert (refused.value.key, refused.value.value) == ("seed", 7)


def test_an_episode_is_an_animation_that_can_be_saved(run, tmp_path):
    played = run.play()
    assert played.gif == (run.path / "episode.gif").read_bytes()
    assert played.save(tmp_path / "a.gif").read_bytes() == played.gif
    assert 'src="data:image/gif;base64,' in played._repr_html_()
    assert repr(played).startswith(f"Played(seed {played.seed}: Episode(")


def test_an_episode_that_cannot_be_seen_says_so():
    rollout = Rollout(np.zeros((2, 4)), np.zeros(2), np.ones(2), np.zeros(2), True, False)
    assert "cannot draw itself" in Played(b"", rollout, 3)._repr_html_()


def test_figures_are_drawn_in_new_axes_or_in_those_given(run):
    figure, (left, right) = plt.subplots(1, 2)
    assert run.plot.returns(left) is left
    assert run.plot.losses(right) is right
    assert plt.get_fignums() == [figure.number]
    ax = run.plot.q_values()
    assert ax.figure is not figure
    line = max(ax.get_lines(), key=lambda line: len(line.get_xdata()))
    assert len(line.get_ydata()) == len(run.play().episode.q)
    assert repr(run.plot) == "figures of a: .returns(), .losses(), .q_values()"


def test_what_people_see_of_it(run, monkeypatch):
    monkeypatch.chdir(run.path.parent)
    assert repr(run).startswith("Run(a: CartPole-v0, 2 of 2 seeds, mean return ")
    text = run._repr_html_()
    assert "hidden=[8,4], episodes=15, test_episodes=2" in text
    assert text.count("<tr>") == 3


def test_a_heading_is_text_and_no_html(tmp_path):
    run = dqn.train(seeds=1, folder=tmp_path / "<b>", **{**SMALL, "episodes": 5})
    assert "<b>:" not in run._repr_html_().replace("<p><b>", "")
