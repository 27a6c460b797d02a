"""Measures how far the network's linear tensors reach, on photos anyone can fetch.

The photos come out of pinned Python packages. There are few, so each is seen through
several windows (the whole, and crops of different sizes and places), mirrored, and in
other light. Everything is enumerated, nothing is random.

The measured ranges are widened to a coarse grid. Float arithmetic differs in the last
bits between processors; on the grid the differences vanish, so that the quantised
model is the same file wherever it is built.
"""

from __future__ import annotations

import io
import math

import numpy as np
import onnxruntime
from PIL import Image, ImageEnhance

from . import graph, preprocess
from .network import Add, Conv
from .sources import IMGAUG, SCIKIT_IMAGE, SCIKIT_LEARN, Sources

PHOTOS = (
    (SCIKIT_IMAGE, "skimage/data/astronaut.png"),  # a person
    (SCIKIT_IMAGE, "skimage/data/camera.png"),  # a person outdoors, grey
    (SCIKIT_IMAGE, "skimage/data/chelsea.png"),  # a cat
    (SCIKIT_IMAGE, "skimage/data/coffee.png"),  # food on a table
    (SCIKIT_IMAGE, "skimage/data/coins.png"),  # many small objects, grey
    (SCIKIT_IMAGE, "skimage/data/grass.png"),  # texture
    (SCIKIT_IMAGE, "skimage/data/hubble_deep_field.jpg"),  # bright dots on black
    (SCIKIT_IMAGE, "skimage/data/motorcycle_left.png"),  # a vehicle in a garage
    (SCIKIT_IMAGE, "skimage/data/page.png"),  # text
    (SCIKIT_IMAGE, "skimage/data/rocket.jpg"),  # sky and smoke at night
    (SCIKIT_LEARN, "sklearn/datasets/images/china.jpg"),  # a building, trees, sky
    (SCIKIT_LEARN, "sklearn/datasets/images/flower.jpg"),  # a flower, close
    (IMGAUG, "imgaug/quokka.jpg"),  # an animal in the open
)

# (side of the window as a share of the shorter side, its place across and down the
# rest, brightness, contrast, saturation, mirrored)
VIEWS = (
    (1.0, 0.5, 0.5, 1.0, 1.0, 1.0, False),
    (1.0, 0.0, 1.0, 0.7, 1.1, 1.0, True),
    (1.0, 1.0, 0.0, 1.3, 0.9, 1.2, False),
    (0.7, 0.5, 0.5, 1.0, 1.0, 1.4, True),
    (0.7, 0.0, 0.0, 1.2, 1.2, 0.8, False),
    (0.7, 1.0, 1.0, 0.8, 1.0, 1.0, True),
    (0.45, 0.5, 0.5, 1.0, 1.2, 1.0, False),
    (0.45, 0.2, 0.8, 1.0, 0.8, 1.2, True),
)
BATCH = 8
GRID = 1 / 4  # tensors reach to between 18 and 76: at most two per cent wider


def tensors(sources: Sources) -> np.ndarray:
    """Every view of every photo as network input: float32 [photos x views, 3, 224, 224]."""
    inputs = []
    for wheel, member in PHOTOS:
        photo = Image.open(io.BytesIO(sources.read(wheel, member))).convert("RGB")
        inputs += [preprocess.tensor(_view(photo, *view)) for view in VIEWS]
    return np.stack(inputs)


def _view(photo, share, across, down, brightness, contrast, saturation, mirrored):
    side = share * min(photo.size)
    left, top = across * (photo.width - side), down * (photo.height - side)
    size = (preprocess.SIZE, preprocess.SIZE)
    square = photo.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    square = ImageEnhance.Brightness(square).enhance(brightness)
    square = ImageEnhance.Contrast(square).enhance(contrast)
    square = ImageEnhance.Color(square).enhance(saturation)
    return square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else square


def ranges(network: list[Conv | Add], inputs: np.ndarray) -> dict[str, tuple[float, float]]:
    """(lowest, highest) of each linear tensor over all inputs, widened to the grid."""
    names = graph.linear_tensors(network)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        graph.float_model(network, names).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    lowest, highest = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for start in range(0, len(inputs), BATCH):
        values = session.run(names, {"image": inputs[start : start + BATCH]})
        for name, value in zip(names, values):
            lowest[name] = min(lowest[name], float(value.min()))
            highest[name] = max(highest[name], float(value.max()))
    return {
        name: (math.floor(lowest[name] / GRID) * GRID, math.ceil(highest[name] / GRID) * GRID)
        for name in names
    }
