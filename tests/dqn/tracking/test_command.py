"""`tracking=` as its user meets it, with trainings that are real."""

import re

import pandas as pd
import pytest
from commands import here
from sweep_commands import table

from dqn.storage.manifest import read_config
from sweeps.__main__ import main

pytest.importorskip("tensorboard", reason="needs the extra: pip install -e '.[test]'")

SMALL = ["hidden=[8]", "batch_size=8", "episodes=5", "test_episodes=1", "workers=0"]
LINE = re.compile(r"tracking: (\d+) episodes in TensorBoard, [\d,]+ µs each, [\d.]+ % of the time")


@pytest.fixture(scope="module", autouse=True)
def _without_pictures():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("draw_best_trial", "draw_run"):
            patch.setattr(f"dqn.plotting.result_pictures.{name}", lambda *of: None)
        yield


def returns(path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path))
    events.Reload()
    return [event.value for event in events.Scalars("episode/return")]


def test_a_run_has_the_same_bits_and_says_what_tracking_cost(tmp_path, capfd):
    a, b = tmp_path / "a", tmp_path / "b"
    assert here(f"hydra.run.dir={a}", *SMALL, "seeds=2", "tracking=tensorboard") == 0
    text = capfd.readouterr()
    assert LINE.search(text.out).group(1) == "10"
    assert text.out.splitlines()[-1] == f"results: {a}"
    assert f"TensorBoard: tensorboard --logdir {a / 'tensorboard'}\n" in text.err
    assert here(f"hydra.run.dir={b}", *SMALL, "seeds=2") == 0
    assert "tracking" not in capfd.readouterr().out
    assert table(a).equals(table(b))
    episodes = [pd.read_parquet(path / "episodes.parquet") for path in (a, b)]
    pd.testing.assert_frame_equal(*episodes)
    of_seed = {seed: own["return"].tolist() for seed, own in episodes[0].groupby("seed")}
    for seed in range(2):
        assert returns(a / "tensorboard" / "trial-0" / f"seed-{seed}") == of_seed[seed]


def test_another_command_may_track_elsewhere_or_not_at_all(tmp_path, capfd):
    folder = f"hydra.run.dir={tmp_path / 'a'}"
    assert here(folder, *SMALL, "seeds=1", "tracking=none") == 0
    assert not (tmp_path / "a" / "tensorboard").exists()
    assert here(folder, *SMALL, "seeds=2", "tracking=tensorboard") == 0
    assert LINE.search(capfd.readouterr().out).group(1) == "5"  # of what was trained now
    assert "tracking" not in table(tmp_path / "a")
    assert here(folder, *SMALL, "seeds=2", "tracking=tensorboard") == 0
    out = capfd.readouterr().out
    assert "nothing to do" in out
    assert "tracking" not in out


def test_a_sweep_and_its_validation_are_tracked(tmp_path, capfd):
    path = tmp_path / "grid"
    words = [f"hydra.sweep.dir={path}", *SMALL, "seeds=1", "tracking=tensorboard"]
    assert here("-m", "lr=0.01,0.1", *words) == 0
    assert LINE.search(capfd.readouterr().out).group(1) == "10"
    found = sorted(path.glob("tensorboard/trial-*/seed-*"))
    assert [file.relative_to(path / "tensorboard").as_posix() for file in found] == [
        "trial-0/seed-0", "trial-1/seed-0",
    ]  # fmt: skip
    more = ["--top", "1", "--seeds", "2", "--workers", "0"]
    assert main(["validate", str(path), *more, "--tracking", "tensorboard"]) == 0
    assert LINE.search(capfd.readouterr().err).group(1) == "20"
    assert len(list((path / "validation" / "tensorboard").glob("*/seed-*"))) == 4
    assert read_config(path / "config.yaml")["tracking"] == "tensorboard"
    text = (path / "recommended.yaml").read_text() if (path / "recommended.yaml").exists() else ""
    assert "tracking" not in text
