"""NanoDet's heads to scores and boxes.

Each head has a logit a class and, for each side of the box, a distribution over how many strides
away it is; the distance is that distribution's mean.
"""

from __future__ import annotations

import numpy as np
from detection.decode import centres, channels, flat
from detection.graph import Writer

from .network import BINS, CLASSES, STRIDES


def decode(writer: Writer, heads: list[str]) -> list[tuple[str, list]]:
    """`heads` has a level's logits and its distances in turn."""
    parts = {"logits": [], "sides": [], "across": [], "down": [], "strides": []}
    for stride, logits, sides in zip(STRIDES, heads[::2], heads[1::2], strict=True):
        name = f"level{stride}"
        parts["logits"].append(flat(writer, logits, f"{name}.logits"))
        parts["sides"].append(flat(writer, sides, f"{name}.sides"))
        across, down = centres(writer, logits, name, stride)
        parts["across"].append(across)
        parts["down"].append(down)
        # A tensor that says the stride at each place.
        nothing = writer.node("Mul", [across, writer.constant("nothing", np.float32(0))], name)
        filled = writer.constant(f"stride{stride}", np.float32(stride))
        parts["strides"].append(writer.node("Add", [nothing, filled], f"{name}.strides"))
    whole = {part: writer.node("Concat", tensors, part, axis=2) for part, tensors in parts.items()}
    writer.node("Sigmoid", [whole["logits"]], "scores")
    # One product gives each side's sum of what its bins weigh, and the sum of bin times weight.
    weight = writer.node("Exp", [whole["sides"]], "sides.weight")
    sums = writer.node("MatMul", [writer.constant("bins", _bins()), weight], "sides.sums")
    total = channels(writer, sums, 0, 4, "sides.total")
    moment = channels(writer, sums, 4, 8, "sides.moment")
    mean = writer.node("Div", [moment, total], "sides.mean")
    pixels = writer.node("Mul", [mean, whole["strides"]], "sides.pixels")
    left, top, right, bottom = (
        channels(writer, pixels, at, at + 1, f"sides.{at}") for at in range(4)
    )
    edges = [
        writer.node("Sub", [whole["across"], left], "left"),
        writer.node("Sub", [whole["down"], top], "top"),
        writer.node("Add", [whole["across"], right], "right"),
        writer.node("Add", [whole["down"], bottom], "bottom"),
    ]
    writer.node("Concat", edges, "boxes", axis=1)
    return [("scores", ["N", CLASSES, "places"]), ("boxes", ["N", 4, "places"])]


def _bins() -> np.ndarray:
    """[8, 4 x BINS]: four rows that add a side's bins up, four that weigh them by their number."""
    ones = np.kron(np.eye(4), np.ones(BINS))
    return np.concatenate([ones, ones * np.tile(np.arange(BINS), 4)]).astype(np.float32)
