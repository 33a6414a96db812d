"""What an environment draws, frame by frame, and as images of one size."""

import math
from typing import Any

import numpy as np
from PIL import Image

from dqn.envs.adapter import Adapter, format_value
from dqn.envs.gymnasium_env import metadata_of
from dqn.runtime.errors import EnvError

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
        of_one = all(frame.dtype.kind == "f" and _brightest(frame) <= 1.0 for frame in self.kept)
        frames = [_as_bytes(frame, 255.0 if of_one else 1.0) for frame in self.kept]
        height, width = (max((f.shape[axis] for f in frames), default=0) for axis in (0, 1))
        return [
            np.pad(frame, [(0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0)])
            for frame in frames
        ]


def _frames_per_second(env: Adapter) -> float:
    try:
        fps = float(metadata_of(env.env).get("render_fps") or GIF_FPS)
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


def _brightest(frame: np.ndarray) -> float:
    """The largest finite number in it: one pixel that is none says nothing of the others."""
    return float(np.max(frame, where=np.isfinite(frame), initial=0.0))


def _as_bytes(frame: np.ndarray, factor: float) -> np.ndarray:
    if frame.dtype == np.uint8:
        return frame
    return np.nan_to_num(frame.astype(np.float64) * factor).clip(0, 255).round().astype(np.uint8)
