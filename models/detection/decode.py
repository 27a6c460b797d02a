"""The last nodes of a detector's graph: heads to scores and boxes.

Every detector gives `scores` [N, classes, places] and `boxes` [N, 4, places]: left, top, right and
bottom in pixels of the tensor, not cut off at its edges. What is left to do for a program is to
keep the scores above a threshold and of boxes that overlap the surest.
"""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from .graph import Writer


def centres(writer: Writer, like: str, name: str, stride: int) -> tuple[str, str]:
    """Each place's centre in pixels, across and down: [N, 1, places], like a tensor's places."""
    nought, one = writer.constant("i0", np.int64([0])), writer.constant("i1", np.int64([1]))
    axis = writer.constant("axis1", np.int64([1]))
    first = writer.node("Slice", [like, nought, one, axis], f"{name}.first")
    shape = writer.node("Shape", [first], f"{name}.shape")
    # A tensor of ones, summed up along a side, counts that side's places from 1.
    ones = writer.node(
        "ConstantOfShape", [shape], f"{name}.ones",
        value=numpy_helper.from_array(np.ones(1, np.float32)),
    )  # fmt: skip
    step = writer.constant(f"stride{stride}", np.float32(stride))
    half = writer.constant(f"half{stride}", np.float32(stride / 2))
    found = []
    for way, axis in (("across", 3), ("down", 2)):
        along = writer.constant(f"axis.{way}", np.int64(axis))
        counted = writer.node("CumSum", [ones, along], f"{name}.{way}.counted")
        scaled = writer.node("Mul", [counted, step], f"{name}.{way}.scaled")
        centre = writer.node("Sub", [scaled, half], f"{name}.{way}.centre")
        found.append(flat(writer, centre, f"{name}.{way}"))
    return found[0], found[1]


def flat(writer: Writer, tensor: str, output: str) -> str:
    """[N, channels, height, width] to [N, channels, places], row by row."""
    shape = writer.constant("places", np.int64([0, 0, -1]))
    return writer.node("Reshape", [tensor, shape], output)


def channels(writer: Writer, tensor: str, start: int, end: int, output: str) -> str:
    bounds = [writer.constant(f"i{at}", np.int64([at])) for at in (start, end)]
    return writer.node("Slice", [tensor, *bounds, writer.constant("axis1", np.int64([1]))], output)
