"""`model.toml` of a detector; the README beside this file says what each field means."""

from __future__ import annotations

from typing import NamedTuple

import blake3

from .graph import SIDE

REVISION_DIGITS = 12


class Facts(NamedTuple):
    name: str
    description: str
    classes: str
    outputs: str
    size: int
    least: float
    overlap: float
    most: int
    calibration: str
    licence: str


def written(facts: Facts, files: dict[str, bytes]) -> bytes:
    """The manifest of `files`. Revisions follow the content, so none is ever forgotten.

    `revision` names the boxes: those of another revision are looked for again. `label_revision`
    names what turns boxes into tags.
    """
    digests = {name: blake3.blake3(data).hexdigest() for name, data in files.items()}
    rules = f"{facts.size} {facts.least} {facts.overlap} {facts.most}"
    boxes = blake3.blake3(f"{digests['detector.onnx']} {rules}".encode()).hexdigest()
    others = "".join(digest for name, digest in digests.items() if name != "detector.onnx")
    labels = blake3.blake3((others + facts.calibration).encode()).hexdigest()
    entries = "".join(
        f'\n[files."{name}"]\nsize = {len(data)}\nblake3 = "{digests[name]}"\n'
        for name, data in files.items()
    )
    return f"""\
# Written by build.py; see README.md and ../detection/README.md.
name = "{facts.name}"
revision = "{boxes[:REVISION_DIGITS]}"
label_revision = "{labels[:REVISION_DIGITS]}"
kind = "detector"
description = "{facts.description}"
{facts.classes}

# From uint8 [N, height, width, 3] (RGB; sides a multiple of `multiple`, any N) to float32 scores
# [N, classes, places] and boxes [N, 4, places] (left, top, right, bottom in pixels of the tensor).
# The whole upright picture, its longer side scaled to `size`, is at the left and top; the rest
# is black.
[image]
file = "detector.onnx"
tensor = "image"
{facts.outputs}
size = {facts.size}
fit = "letterbox"
multiple = {SIDE}

# Boxes from `least` on are kept; of two of one class that overlap by more than `overlap` of their
# union the surer; at most `most`, the surest.
[boxes]
least = {facts.least}
overlap = {facts.overlap}
most = {facts.most}

[calibration]
{facts.calibration}
[licence]
{facts.licence}
{entries}""".encode()
