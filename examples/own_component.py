"""A network and an environment of one's own, swept: `python -m examples.own_component`.

A grid over the built-in network and `Mine` of my_module.py, each with two learning rates, in an
environment of that file. Both are named by import path, so worker processes have them too, and the
results say which source they were made with (components.yaml).
"""

import sys

from dqn import run

MODULE = f"{__package__}.my_module" if __package__ else "my_module"


def main(*more: str) -> int:
    """Train the grid, with `more` words of a command line; its table is printed. Exit status."""
    grid = {"network": f"mlp,{MODULE}:Mine", "lr": "1e-3,1e-2"}
    fixed = {
        "env": "gymnasium",
        "env.id": f"{MODULE}:Corridor-v0",
        "hidden": "[16]",
        "epsilon_decay": 0.005,
        "episodes": 60,
        "seeds": 3,
        "name": "own_component",
    }
    words = (f"{key}={value}" for key, value in {**grid, **fixed}.items())
    sys.argv[1:] = ["-m", *words, *more]
    return run.main()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
