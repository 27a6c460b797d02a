"""A photo to a detector's input; the reference for what photond does in Rust.

The whole upright picture, its longer side scaled to `size` (also up), at the left and top of a
black tensor whose sides are the next multiples of 32.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from .graph import SIDE


class Letterbox(NamedTuple):
    tensor: np.ndarray  # uint8 [height, width, 3]
    # The picture's own width and height in it.
    width: int
    height: int


def letterbox(photo: Image.Image, size: int) -> Letterbox:
    scale = size / max(photo.size)
    width, height = (max(1, round(side * scale)) for side in photo.size)
    scaled = photo.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    tensor = np.zeros((-(-height // SIDE) * SIDE, -(-width // SIDE) * SIDE, 3), np.uint8)
    tensor[:height, :width] = np.asarray(scaled)
    return Letterbox(tensor, width, height)
