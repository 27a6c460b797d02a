"""A photo to the network's input, in the way the network was trained.

This is the reference for what photond does in Rust: the centre square of 0.875 of
the shorter side, bicubic to 224 x 224, RGB, `(x - 127) / 128`, channels first. The
ImageNet mean and deviation that most networks use would cost this one nine points.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from .network import SIZE

CROP = 0.875
MEAN = 127.0
STD = 128.0


def centre_crop(photo: Image.Image) -> Image.Image:
    """The middle square of `CROP` of the shorter side, scaled to 224 x 224."""
    side = CROP * min(photo.size)
    left, top = (photo.width - side) / 2, (photo.height - side) / 2
    return photo.convert("RGB").resize(
        (SIZE, SIZE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )


def tensor(square: Image.Image) -> np.ndarray:
    """float32 [3, 224, 224] of a 224 x 224 RGB picture."""
    pixels = np.asarray(square, np.float32)
    return np.ascontiguousarray(((pixels - MEAN) / STD).transpose(2, 0, 1))
