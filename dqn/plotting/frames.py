"""An environment that draws itself, and what it draws: frames, as images of one size."""

import contextlib
import copy
import math
import os
from typing import Any

import gymnasium
import numpy as np
from PIL import Image

from dqn.config import EnvConfig
from dqn.envs import gymnasium_env
from dqn.envs.adapter import Adapter, format_value, name_of, spec_of
from dqn.envs.registry_errors import describe_error
from dqn.runtime.errors import EnvError, UserError

_MODES = ("rgb_array", "rgb_array_list")
GIF_FPS = 25  # a GIF counts in 1/100 s, so 25 a second is exact where 30 is not
_CHANNELS = (1, 3, 4)  # of a pixel: grey, colours, and what shines through
_WANTED = "must give an array [height, width, 3] of 0 to 255"


class Frames:
    """The frames of one episode worth keeping: evenly spaced, never more than `most`."""

    def __init__(self, env: Adapter, most: int, reason: str = ""):
        self.kept: list[Any] = []
        self.reason = reason
        """Why there is no frame, in one line; with a reason given, nothing is drawn."""
        self._env, self._most, self._draws = env, most, not reason
        self._stride = max(1, round(_frames_per_second(env) / GIF_FPS))

    def see(self, step: int) -> None:
        """Keep how the environment looks after `step` steps, if that one is among those kept."""
        if not self._draws or step % self._stride:
            return
        if len(self.kept) == self._most:
            del self.kept[1::2]
            self._stride *= 2
            if step % self._stride:
                return
        try:
            frame = _last(self._env.render())
            if frame is None:  # of an environment that draws nothing, or nothing yet
                self.reason = str(EnvError(self._env.name, "render", f"gave None, {_WANTED}"))
                return
            self.kept.append(_pixels(frame, self._env.name))
        except EnvError as error:
            self.reason, self._draws = str(error), False
            self.kept.clear()

    def images(self) -> list[np.ndarray]:
        """All that was kept: uint8 [height, width, 3], the same size for each."""
        # The largest finite number: one pixel that is none says nothing of the others.
        of_one = all(
            frame.dtype.kind == "f" and np.max(frame, where=np.isfinite(frame), initial=0.0) <= 1.0
            for frame in self.kept
        )
        frames = [_as_bytes(frame, 255.0 if of_one else 1.0) for frame in self.kept]
        height, width = (max((f.shape[axis] for f in frames), default=0) for axis in (0, 1))
        return [
            np.pad(frame, [(0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0)])
            for frame in frames
        ]


def _frames_per_second(env: Adapter) -> float:
    try:
        fps = float(gymnasium_env.metadata_of(env.env).get("render_fps") or GIF_FPS)
    except (TypeError, ValueError):
        return GIF_FPS
    return fps if fps > 0 and math.isfinite(fps) else GIF_FPS


def _last(given: Any) -> Any:
    """Of frames since the last call, as "rgb_array_list" gives them, the last; else `given`."""
    of_frames = isinstance(given, list | tuple) and all(
        isinstance(one, Image.Image) or (isinstance(one, np.ndarray) and one.ndim > 1)
        for one in given
    )
    return (given[-1] if given else None) if of_frames else given


def _pixels(frame: Any, name: str) -> np.ndarray:
    """A copy of a frame [height, width, 3] of any real numbers; raises `EnvError`."""
    if isinstance(frame, Image.Image):
        frame = frame.convert("RGB")
    refused = EnvError(name, "render", f"gave {format_value(frame)}, {_WANTED}")
    try:
        pixels = np.array(frame)
    except Exception as error:  # whatever its own class raises
        raise refused from error
    if pixels.ndim == 2:  # grey
        pixels = pixels[..., None]
    if pixels.ndim == 3 and pixels.shape[-1] not in _CHANNELS and pixels.shape[0] in _CHANNELS:
        pixels = pixels.transpose(1, 2, 0)  # as PyTorch has its images
    is_image = pixels.ndim == 3 and pixels.shape[-1] in _CHANNELS
    if not is_image or pixels.dtype.kind not in "buif" or pixels.size == 0:
        raise refused
    if pixels.dtype.kind in "ui" and (most := pixels.max()) > 255:
        raise EnvError(name, "render", f"gave whole numbers up to {most}, {_WANTED}")
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    colours = pixels[..., :3]  # without what says how much shines through
    return np.repeat(colours, 3, axis=-1) if colours.shape[-1] == 1 else colours


def _as_bytes(frame: np.ndarray, factor: float) -> np.ndarray:
    if frame.dtype == np.uint8:
        return frame
    return np.nan_to_num(frame.astype(np.float64) * factor).clip(0, 255).round().astype(np.uint8)


def stay_off_screen() -> None:
    """Neither a window nor, where there is no screen, SDL's complaint about that."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


def drawable(env: EnvConfig | gymnasium.Env) -> tuple[gymnasium.Env, str]:
    """An environment like `env`, and why it draws nothing, "" where it does.

    A new one where `env` can be made again, with copies of the wrappers around it; else `env`
    itself. Raises `UserError` for a configuration that cannot be made at all.
    """
    stay_off_screen()
    if isinstance(env, EnvConfig):
        try:
            made, reason = gymnasium_env.make(env, render=True), ""
        except UserError as error:  # it may be played all the same
            made, reason = gymnasium_env.make(env), str(error)
    else:
        made, reason = _copied(env)
    return made, reason if reason or _draws(made) else f"{name_of(made)} cannot draw itself"


def _draws(made: gymnasium.Env) -> bool:
    spec = spec_of(made.unwrapped)
    asked = spec.kwargs.get("render_mode") if spec else None  # not every class keeps it
    return getattr(made, "render_mode", None) in _MODES or asked in _MODES


def _copied(env: gymnasium.Env) -> tuple[gymnasium.Env, str]:
    """A copy that draws; from the outside in, the first layer that can be made again is new.

    Layers around that one, wrappers of the user's own, are copied with all that they hold.
    """
    reason, layer = "", env
    while True:
        spec = spec_of(layer)
        if spec is not None and all(one.kwargs is not None for one in spec.additional_wrappers):
            given: dict[str, Any] = {"render_mode": gymnasium_env.drawing_mode(layer)}
            if given["render_mode"] is None and "render_mode" not in spec.kwargs:
                given.clear()
            try:
                made = gymnasium.make(spec, **given)
            except (Exception, SystemExit) as error:  # whatever its constructor raises
                reason = f"{name_of(env)}: a second one could not be made: {describe_error(error)}"
            else:
                with contextlib.suppress(Exception):  # of a wrapper that cannot be copied
                    new = {id(layer): made, id(layer.unwrapped): made.unwrapped}
                    return copy.deepcopy(env, new), ""
                made.close()
        if not isinstance(layer, gymnasium.Wrapper):
            return env, "" if _draws(env) else reason
        layer = layer.env
