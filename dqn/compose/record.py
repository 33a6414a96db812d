"""What Hydra composed, kept in a folder of results beside what came of it."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from dqn.compose.fast_compose import own_keys
from dqn.runtime.secrets import without_secrets


def keep_composed(path: Path, composed: DictConfig) -> None:
    """Keep what Hydra composed in .hydra/, as it does itself for a run; no password in it."""
    folder = path / ".hydra"
    folder.mkdir(exist_ok=True)
    kept = {
        "config.yaml": own_keys(composed),
        "hydra.yaml": OmegaConf.masked_copy(composed, ["hydra"]),
        "overrides.yaml": composed.hydra.overrides.task,
    }
    for name, node in kept.items():
        plain = without_secrets(OmegaConf.to_container(node, resolve=False))
        OmegaConf.save(OmegaConf.create(plain), folder / name)
