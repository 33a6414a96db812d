"""best/: the best trial of a sweep, as one looks at it and goes on from it."""

import dataclasses
import sys

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from trainings import CONFIG, result

from dqn.compose.compose import CONFIG_NAME, VERSION_BASE
from dqn.compose.help_page import CONF
from dqn.config import Config
from dqn.config.config import fields_of
from dqn.plotting import result_pictures
from dqn.runtime.atomic_write import temporary_name
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import EXERCISE

# Keras 3.15 converts TensorFlow's tensors in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FILES = ["config.yaml", "episode.gif", "figures/losses.png", "figures/q_values.png",
         "figures/returns.png", "model.keras"]  # fmt: skip


def weights(seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in [(4, 8), (8,), (8, 2), (2,)]]


def trial(folder, number, mean, **changes):
    config = dataclasses.replace(CONFIG, lr=10.0**-number, hidden=(8,), huber_delta=2.5)
    for seed in range(3):
        returns = [mean + seed] * 12
        changed = {"config": config, "weights": weights(number), **changes}
        folder.add(result(number, seed, returns=returns, **changed))
    return config


def files(path):
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_it_is_drawn_whole_and_replaced_whole(tmp_path):
    with ResultsDir(tmp_path, CONFIG, {"kind": "grid"}) as folder:
        result_pictures.draw_best_trial(folder, CONFIG)
        assert not (tmp_path / "best").exists()
        first = trial(folder, 2, 20.0)
        result_pictures.draw_best_trial(folder, CONFIG)
        best = tmp_path / "best"
        assert files(best) == FILES
        assert read(best) == dataclasses.replace(first, seeds=Config().seeds)
        with Image.open(best / "figures" / "returns.png") as image:
            assert image.size[0] > 500
        (best / "mine.txt").write_text("the user's")
        (best / "figures" / "mine.png").write_bytes(b"the user's")
        second = trial(folder, 1, 30.0, weights=[])
        trial(folder, 3, 10.0)
        result_pictures.draw_best_trial(folder, CONFIG)
        assert read(best) == dataclasses.replace(second, seeds=Config().seeds)
        assert files(best) == [
            "config.yaml", "figures/losses.png", "figures/mine.png", "figures/returns.png",
            "mine.txt",
        ]  # fmt: skip
        assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.parametrize(("number", "whose"), [(2, "trial 2"), (EXERCISE, "the exercise")])
def test_its_file_says_whose_settings_they_are(tmp_path, number, whose):
    with ResultsDir(tmp_path / "found", CONFIG, {"kind": "grid"}) as folder:
        folder.add(result(number, 0, returns=[20.0] * 12, config=CONFIG))
        result_pictures.draw_best_trial(folder, CONFIG)
    text = (tmp_path / "found" / "best" / "config.yaml").read_text()
    assert text.splitlines()[1].startswith(f"# {whose} of found: 1 seed")


def test_the_network_is_the_best_seeds(tmp_path):
    with ResultsDir(tmp_path, CONFIG, {"kind": "grid"}) as folder:
        trial(folder, 2, 20.0)
        result_pictures.draw_best_trial(folder, CONFIG)
    model = keras.models.load_model(tmp_path / "best" / "model.keras")
    for kept, given in zip(model.get_weights(), weights(2), strict=True):
        np.testing.assert_array_equal(kept, given)


def full(*arguments, **named):
    raise OSError(28, "No space left on device")


def test_a_file_of_it_that_cannot_be_made_is_a_line_and_is_made_the_next_time(
    tmp_path, monkeypatch
):
    with ResultsDir(tmp_path, CONFIG, {"kind": "grid"}) as folder:
        trial(folder, 2, 20.0)
        assert not result_pictures.is_best_whole(folder)
        assert result_pictures.draw_best_trial(folder, CONFIG) == []
        assert result_pictures.is_best_whole(folder)
        second = trial(folder, 1, 30.0)
        assert not result_pictures.is_best_whole(folder)  # it is of another trial
        with monkeypatch.context() as patch:
            patch.setattr("dqn.plotting.episode_recorder.save_model", full)
            problems = result_pictures.draw_best_trial(folder, CONFIG)
        assert problems == ["no model.keras: No space left on device"]
        assert read(tmp_path / "best") == dataclasses.replace(second, seeds=Config().seeds)
        assert files(tmp_path / "best") == [name for name in FILES if name != "model.keras"]
        assert not result_pictures.is_best_whole(folder)
        assert result_pictures.draw_best_trial(folder, CONFIG) == []
        assert files(tmp_path / "best") == FILES
        assert not list(tmp_path.glob(".tmp-*"))


def test_what_needs_no_figure_is_made_where_nothing_can_be_drawn(tmp_path, monkeypatch):
    monkeypatch.setitem(
        sys.modules, "dqn.plotting.training_figures", None
    )  # as where matplotlib refuses
    monkeypatch.delattr("dqn.plotting.training_figures", raising=False)
    with ResultsDir(tmp_path, CONFIG, {"kind": "grid"}) as folder:
        trial(folder, 1, 20.0)
        problems = result_pictures.draw_best_trial(folder, CONFIG)
    assert [line.split(":")[0] for line in problems] == [
        "no figures/returns.png", "no figures/losses.png", "no figures/q_values.png",
    ]  # fmt: skip
    assert files(tmp_path / "best") == ["config.yaml", "episode.gif", "model.keras"]


@pytest.mark.parametrize("where", ["write_preset", "replacing_folder"])
def test_the_one_before_stays_where_none_can_take_its_place(tmp_path, monkeypatch, where):
    with ResultsDir(tmp_path, CONFIG, {"kind": "grid"}) as folder:
        trial(folder, 2, 20.0)
        result_pictures.draw_best_trial(folder, CONFIG)
        before = (tmp_path / "best" / "config.yaml").read_bytes()
        trial(folder, 1, 30.0)
        monkeypatch.setattr(result_pictures, where, full)
        problems = result_pictures.draw_best_trial(folder, CONFIG)
        assert problems == ["no new best/: No space left on device"]
        assert (tmp_path / "best" / "config.yaml").read_bytes() == before
        assert files(tmp_path / "best") == FILES
        assert not result_pictures.is_best_whole(folder)
        assert not list(tmp_path.glob(".tmp-*"))


def test_what_a_kill_left_of_it_is_removed(tmp_path):
    ResultsDir(tmp_path, CONFIG, {"kind": "grid"}).close()
    left = temporary_name(tmp_path / "best", "0-") / "figures"
    left.mkdir(parents=True)
    (left / "returns.png").write_text("half")
    ResultsDir(tmp_path, CONFIG, {"kind": "grid"}).close()
    assert not left.parent.exists()


def test_a_sweep_whose_every_seed_failed_has_a_best_without_a_network(tmp_path):
    with ResultsDir(tmp_path, CONFIG, {"kind": "grid"}) as folder:
        folder.add(result(0, 0, returns=(), test_returns=np.empty(0), status="failed", weights=[]))
        result_pictures.draw_best_trial(folder, CONFIG)
    assert "config.yaml" in files(tmp_path / "best")


def test_its_configuration_is_a_preset(tmp_path):
    import hydra

    with ResultsDir(tmp_path / "sweep", CONFIG, {"kind": "grid"}) as folder:
        config = trial(folder, 2, 20.0)
        result_pictures.draw_best_trial(folder, CONFIG)
    kept = tmp_path / "sweep" / "best" / "config.yaml"
    assert not set(yaml.safe_load(kept.read_text())) & set(fields_of("run"))
    (tmp_path / "preset").mkdir()
    (tmp_path / "preset" / "mine.yaml").write_bytes(kept.read_bytes())
    with hydra.initialize_config_dir(str(CONF), version_base=VERSION_BASE):
        search = f"hydra.searchpath=[file://{tmp_path}]"
        composed = hydra.compose(CONFIG_NAME, overrides=["preset=mine", search, "seeds=3"])
    assert Config.from_mapping(yaml.safe_load(yaml_of(composed))) == config


def yaml_of(composed):
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(composed)


def read(best):
    return Config.from_mapping(yaml.safe_load((best / "config.yaml").read_text()))
