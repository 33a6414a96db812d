# pyright: reportMissingImports=false
"""Stable-Baselines3's DQN on one Gymnasium environment, one thread: `… CartPole-v1 200`.

Run by an environment of its own; see the package's docstring for what it reads and prints.
"""

import json
import sys
from importlib.metadata import version
from time import perf_counter

import gymnasium
import torch
from stable_baselines3 import DQN

STEPS = 400  # of one call of `learn`
SETTINGS = {
    "learning_rate": 1e-3,
    "buffer_size": 5000,
    "learning_starts": 64,
    "batch_size": 32,
    "gamma": 0.99,
    "train_freq": 4,
    "gradient_steps": 1,
    "target_update_interval": 100,
    "exploration_initial_eps": 0.05,
    "exploration_final_eps": 0.05,
}


def main(env_id: str, max_episode_steps: int) -> None:
    """Warm up, say what this is, and answer."""
    torch.set_num_threads(1)
    env = gymnasium.make(env_id, max_episode_steps=max_episode_steps)
    network = {"net_arch": [64, 64], "activation_fn": torch.nn.ReLU}
    model = DQN("MlpPolicy", env, policy_kwargs=network, device="cpu", **SETTINGS)
    model.learn(4 * STEPS)
    packages = ("stable_baselines3", "torch", "gymnasium", "numpy")
    about = {
        "versions": {name: version(name) for name in packages},
        "settings": SETTINGS
        | {"env": env_id, "max_episode_steps": max_episode_steps, "net_arch": [64, 64]}
        | {"activation": "ReLU", "optimizer": "Adam", "threads": 1},
    }
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        began, first = perf_counter(), model.num_timesteps
        while perf_counter() - began < float(line):
            model.learn(STEPS, reset_num_timesteps=False)
        print((model.num_timesteps - first) / (perf_counter() - began), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
