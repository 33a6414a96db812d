# pyright: reportMissingImports=false
"""rejax's DQN on gymnax's CartPole, vmapped over so many seeds: `… 16`.

Its own `train`, jitted and vmapped as its README does. Four environments a seed and one update for
each step of all four are an update every 4 environment steps, which is how rejax says it.
Run by an environment of its own; see the package's docstring for what it reads and prints.
"""

import json
import sys
from importlib.metadata import version
from time import perf_counter

import jax
from rejax import get_algo

STEPS = 100_000  # of all seeds together, in one call of `train`
MAX_EPISODE_STEPS = 200
SETTINGS = {
    "env": "CartPole-v1",
    "agent_kwargs": {"activation": "relu"},
    "learning_rate": 1e-3,
    "buffer_size": 5000,
    "fill_buffer": 64,
    "batch_size": 32,
    "gamma": 0.99,
    "num_envs": 4,
    "num_epochs": 1,
    "target_update_freq": 100,
    "polyak": 0.0,  # the share of the old target that is kept
    "ddqn": False,
    "eps_start": 0.05,
    "eps_end": 0.05,
    "skip_initial_evaluation": True,
}


def main(seeds: int) -> None:
    """Warm up, say what this is, and answer."""
    steps = max(STEPS // seeds // 4 * 4, 4)
    algorithm = get_algo("dqn").create(**SETTINGS, total_timesteps=steps, eval_freq=steps)
    algorithm = algorithm.replace(
        env_params=algorithm.env_params.replace(max_steps_in_episode=MAX_EPISODE_STEPS),
        eval_callback=lambda *_: 0,  # learning alone is timed
    )
    train = jax.jit(jax.vmap(algorithm.train))
    keys = jax.random.split(jax.random.PRNGKey(0), seeds)
    jax.block_until_ready(train(keys))
    packages = ("rejax", "jax", "jaxlib", "gymnax", "flax", "optax")
    about = {
        "versions": {name: version(name) for name in packages},
        "settings": SETTINGS
        | {"max_episode_steps": MAX_EPISODE_STEPS, "seeds": seeds}
        | {"hidden": [64, 64], "optimizer": "Adam"},
    }
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        began, done = perf_counter(), 0
        while perf_counter() - began < float(line):
            jax.block_until_ready(train(keys))
            done += seeds * steps
        print(done / (perf_counter() - began), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
