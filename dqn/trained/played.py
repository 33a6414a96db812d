"""One greedy episode of a trained network, as an animation that a notebook shows."""

import base64
from dataclasses import dataclass
from pathlib import Path

from dqn.plotting.episode_recorder import Rollout
from dqn.runtime.atomic_write import replacing


@dataclass(frozen=True, repr=False)
class Played:
    """What `Run.play` gives: `gif` in bytes, and step by step what happened, `episode`."""

    gif: bytes
    """Empty where the environment cannot draw itself."""
    episode: Rollout
    seed: int
    """Of the training whose network played; it also fixes the start."""

    def save(self, path: str | Path) -> Path:
        """Write the GIF to `path`, whole or not at all."""
        path = Path(path)
        with replacing(path) as temporary:
            temporary.write_bytes(self.gif)
        return path

    def __repr__(self) -> str:
        return f"Played(seed {self.seed}: {self.episode!r})"

    def _repr_html_(self) -> str:
        text = f"seed {self.seed}: {len(self.episode.rewards)} steps, return "
        text += f"{self.episode.rewards.sum():g}"
        if not self.gif:
            return f"<p>{text}; the environment cannot draw itself</p>"
        data = base64.b64encode(self.gif).decode()
        return f'<figure><img src="data:image/gif;base64,{data}"><p>{text}</p></figure>'
