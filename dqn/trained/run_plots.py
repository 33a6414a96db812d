"""The figures of a run, and the episode that its network plays."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from dqn.config import Config
from dqn.envs import gymnasium_env
from dqn.plotting import episode_recorder, training_figures
from dqn.plotting.png import draw_in
from dqn.plotting.result_pictures import bounds_of
from dqn.runtime.errors import UserError
from dqn.runtime.notices import notice
from dqn.storage.best_weights import Best
from dqn.trained.played import Played
from dqn.trained.python_calls import python_call

if TYPE_CHECKING:
    from dqn.trained.run import Run


class RunPlots:
    """`run.plot`: each method draws in `ax`, by default in new axes, and gives these back."""

    def __init__(self, run: "Run"):
        self._run = run

    def returns(self, ax: Axes | None = None) -> Axes:
        """Each seed's running mean of returns, their median and middle half."""
        episodes, seeds = self._run.episodes, self._ended()
        solved = gymnasium_env.describe(self._run.config.env).solved_return
        return draw_in(training_figures.returns_plot(episodes, seeds, solved), ax)

    def losses(self, ax: Axes | None = None) -> Axes:
        """Each seed's running mean of the loss, on a logarithmic scale."""
        return draw_in(training_figures.losses_plot(self._run.episodes, self._ended()), ax)

    def q_values(self, ax: Axes | None = None, *, seed: int | None = None) -> Axes:
        """The Q-value of each action along the greedy episode that `Run.play` shows."""
        found = self._run.play(seed)
        q, config = found.episode.q, self._run.config
        title = f"Q-values along one greedy episode · seed {found.seed}"
        bounds = bounds_of(config, len(q))
        return draw_in(training_figures.q_values_plot(q, bounds, title), ax)

    def _ended(self):
        seeds = self._run.seeds
        if seeds.empty:
            raise UserError(f"{self._run.path}: no seed has ended yet; let it go on, and ask again")
        return seeds

    def __repr__(self) -> str:
        return f"figures of {self._run.name}: .returns(), .losses(), .q_values()"


def played(config: Config, best: Best) -> Played:
    """A greedy episode of a network, in the environment that it was trained in."""
    from dqn.agents.networks import trained_network

    q_values = trained_network(config, best.weights).q_function(best.weights)
    episode, frames = episode_recorder.play(q_values, config.env, best.seed)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "episode.gif"
        if reason := episode_recorder.write_episode(path, frames):
            with python_call():
                notice(f"no animation: {reason}")
        return Played(path.read_bytes() if path.exists() else b"", episode, best.seed)
