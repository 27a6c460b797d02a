"""CenterFace's heads to scores, boxes and points.

The heads are at a quarter of the input's size: how sure, the logarithm of height and width in
strides, how far the centre is off down and right in strides, and five points (down, right) as
shares of the box.
"""

from __future__ import annotations

import numpy as np
from detection.decode import centres, channels, flat
from detection.graph import Writer

from .network import STRIDE


def decode(writer: Writer, heads: list[str]) -> list[tuple[str, list]]:
    sure, size, offset, points = heads
    stride = writer.constant("stride", np.float32(STRIDE))
    half = writer.constant("half", np.float32(0.5))

    def scaled(tensor, name, factor):
        return writer.node("Mul", [tensor, factor], name)

    flat(writer, writer.node("Sigmoid", [sure], "sure"), "scores")
    sides = writer.node("Exp", [flat(writer, size, "size")], "size.strides")
    sides = scaled(sides, "size.pixels", stride)
    off = scaled(flat(writer, offset, "offset"), "offset.pixels", stride)
    across, down = centres(writer, sure, "places", STRIDE)
    edges = {}
    for at, (near, far, centre) in enumerate((("top", "bottom", down), ("left", "right", across))):
        side = channels(writer, sides, at, at + 1, f"{near}.side")
        moved = channels(writer, off, at, at + 1, f"{near}.off")
        middle = writer.node("Add", [centre, moved], f"{near}.middle")
        reach = scaled(side, f"{near}.reach", half)
        edges[near] = writer.node("Sub", [middle, reach], near)
        edges[far] = writer.node("Add", [middle, reach], far)
        edges[f"{near}.side"] = side
    order = [edges[name] for name in ("left", "top", "right", "bottom")]
    writer.node("Concat", order, "boxes", axis=1)
    shares = flat(writer, points, "points.shares")
    found = []
    for point in range(5):
        for at, near in ((2 * point + 1, "left"), (2 * point, "top")):
            share = channels(writer, shares, at, at + 1, f"points.{at}")
            inside = writer.node("Mul", [share, edges[f"{near}.side"]], f"points.{at}.inside")
            found.append(writer.node("Add", [inside, edges[near]], f"points.{at}.pixels"))
    writer.node("Concat", found, "points", axis=1)
    return [
        ("scores", ["N", 1, "places"]),
        ("boxes", ["N", 4, "places"]),
        ("points", ["N", 10, "places"]),
    ]
