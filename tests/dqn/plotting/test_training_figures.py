import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from dqn.plotting.training_figures import draw_losses, draw_q_values, draw_returns, q_bounds


def study(*trainings, diverged=()):
    """Tables of trainings with these returns; the loss of each episode is its return / 100."""
    frames = [
        pd.DataFrame(
            {
                "trial": 0,
                "seed": seed,
                "episode": np.arange(1, len(returns) + 1),
                "return": np.array(returns, float),
                "loss": np.array(returns, float) / 100,
            }
        )
        for seed, returns in enumerate(trainings)
    ]
    seeds = pd.DataFrame({"trial": 0, "seed": range(len(trainings)), "env": "CartPole-v0"})
    seeds["status"] = ["diverged" if seed in diverged else "done" for seed in seeds["seed"]]
    return pd.concat(frames), seeds


def ramp(length: int, slope: float = 1.0) -> list[float]:
    return [8.0 + slope * episode for episode in range(length)]


STUDIES = {
    "one seed": study(ramp(150)),
    "thirty seeds": study(*(ramp(150, 1 + seed / 30) for seed in range(30))),
    "unequal lengths": study(ramp(150), ramp(90), ramp(12), diverged={2}),
    "diverged at once": study(ramp(150), ramp(3), [], diverged={1, 2}),
    "all diverged at once": study([], [], diverged={0, 1}),
    "too short to smooth": study(ramp(5), ramp(7), ramp(1)),
    "one episode": study([10.0]),
    "no loss": study([0.0] * 30, [0.0] * 30),
    "no update": study([np.nan] * 30),
    "losses over many decades": study([10.0**k for k in range(-10, 15)]),
    "equal": study([200.0] * 30, [200.0] * 30),
}


@pytest.fixture
def drawn(monkeypatch):
    """The axes of each figure as it is saved."""
    axes = []
    save = Figure.savefig

    def savefig(figure, *arguments, **named):
        axes.extend(figure.axes)
        save(figure, *arguments, **named)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return axes


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found.get_xydata()


@pytest.mark.parametrize("draw", [draw_returns, draw_losses])
@pytest.mark.parametrize("tables", STUDIES.values(), ids=STUDIES)
def test_any_study_gives_a_picture_and_no_warning(tmp_path, draw, tables):
    draw(tmp_path / "figure.png", *tables)
    with Image.open(tmp_path / "figure.png") as picture:
        picture.load()
        assert picture.size == (936, 572)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]


def test_the_same_tables_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        draw_returns(tmp_path / name, *STUDIES["unequal lengths"], threshold=100.0)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_figure_that_fails_leaves_the_one_before_it(tmp_path, monkeypatch):
    draw_returns(tmp_path / "figure.png", *STUDIES["one seed"])
    before = (tmp_path / "figure.png").read_bytes()

    def savefig(self, path, **named):
        path.write_bytes(b"half a fig")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", savefig)
    with pytest.raises(OSError, match="No space"):
        draw_returns(tmp_path / "figure.png", *STUDIES["thirty seeds"])
    assert (tmp_path / "figure.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_the_median_is_that_of_ten_episode_means_across_seeds(tmp_path, drawn):
    tables = study([0.0] * 20, [10.0] * 20, list(range(20)))
    draw_returns(tmp_path / "figure.png", *tables, threshold=15.0)
    median = line(drawn[0], "median of seeds")
    # Running means at episodes 10 and 20: 0, 10 and 4.5; 0, 10 and 14.5.
    assert median[0].tolist() == [10, 4.5]
    assert median[-1].tolist() == [20, 10.0]
    assert line(drawn[0], "solved at 15")[:, 1].tolist() == [15.0, 15.0]
    assert drawn[0].get_title(loc="left") == "Returns, mean of 10 episodes · CartPole-v0, 3 seeds"


def test_the_median_stops_where_fewer_than_half_the_seeds_go_on(tmp_path, drawn):
    draw_returns(tmp_path / "figure.png", *study(ramp(50), ramp(40), ramp(30), ramp(20)))
    assert line(drawn[0], "median of seeds")[-1, 0] == 40


def test_a_diverged_seed_ends_in_a_cross_and_is_counted_even_without_an_episode(tmp_path, drawn):
    draw_returns(tmp_path / "figure.png", *STUDIES["diverged at once"])
    assert line(drawn[0], "diverged (2)").tolist() == [[3.0, 9.0]]


def test_losses_are_on_a_logarithmic_scale_without_zeros(tmp_path, drawn):
    draw_losses(tmp_path / "figure.png", *study([0.0] * 10 + [100.0] * 20))
    assert drawn[0].get_yscale() == "log"
    curve = line(drawn[0], "running mean")
    assert np.isnan(curve[9, 1])
    assert curve[10].tolist() == [11, 0.1]


def test_q_values_are_drawn_with_their_bounds(tmp_path, drawn):
    falling = np.array([3.0, 2.0, 1.0])
    draw_q_values(tmp_path / "q.png", [0.5, 0.6, 0.7], {"level": 1.0, "falling": falling})
    assert line(drawn[0], "level").tolist() == [[0, 1], [1, 1], [2, 1]]
    assert line(drawn[0], "falling")[:, 1].tolist() == [3, 2, 1]
    assert line(drawn[0], "network: Q of the chosen action")[:, 1].tolist() == [0.5, 0.6, 0.7]


def bound(env_id="CartPole-v0", length=200, gamma=0.99, reward_scale=0.01, timeout_terminal=False):
    bounds = q_bounds(
        env_id,
        length,
        gamma=gamma,
        reward_scale=reward_scale,
        timeout_terminal=timeout_terminal,
        max_episode_steps=200,
    )
    return [np.asarray(values) for values in bounds.values()]


def test_the_two_bounds_of_the_exercise():
    (bootstraps,), (ends,) = bound(), bound(timeout_terminal=True)
    assert bootstraps == pytest.approx(np.full(200, 1.0))
    assert ends.max() == ends[0] == pytest.approx(0.866, abs=5e-4)
    assert ends[-1] == pytest.approx(0.01)


def test_the_bound_is_the_discounted_sum_of_the_rewards_left():
    rewards = np.full(200, 0.01)
    sums = [np.sum(rewards[t:] * 0.99 ** np.arange(200 - t)) for t in range(200)]
    (ends,) = bound(timeout_terminal=True)
    assert ends == pytest.approx(np.array(sums))


def test_without_discount_only_an_episode_that_ends_has_a_bound():
    assert bound(gamma=1.0) == []
    (ends,) = bound(gamma=1.0, reward_scale=1.0, timeout_terminal=True)
    assert ends[[0, -1]].tolist() == [200.0, 1.0]


def test_a_task_that_pays_for_less_time_is_bounded_from_below_and_an_unknown_one_not_at_all():
    assert bound("MountainCar-v0", reward_scale=1.0)[0] == pytest.approx(np.full(200, -100.0))
    assert bound("LunarLander-v3") == []
