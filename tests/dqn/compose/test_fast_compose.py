"""What Hydra composes once is completed key by key."""

import pandas as pd
from commands import here


def test_of_a_key_that_is_given_twice_the_last_value_counts(tmp_path, capfd):
    for texts, lr in ((["lr=0.5", "++lr=0.25"], 0.25), (["++lr=0.25", "lr=0.5"], 0.5)):
        folder = tmp_path / f"{lr}"
        small = ["gamma=0.5,0.6", "episodes=1", "test_episodes=0", "seeds=1", "workers=0"]
        assert here("-m", f"hydra.sweep.dir={folder}", *small, *texts) == 0
        assert set(pd.read_csv(folder / "seeds.csv").lr) == {lr}
