"""`model.toml` of the face encoder; README.md says what each field means."""

from __future__ import annotations

import tomllib
from pathlib import Path

import blake3

from .network import DIMS, SIDE

REVISION_DIGITS = 12
# The longer side of the picture in which faces are looked for, and which of them are encoded.
SIZE = 960
MULTIPLE = 32
LEAST = 0.6
SMALLEST = 32
ASKEW = 0.08
SAME = 0.41
# dlib's mean face (its points 36 to 41, 42 to 47, 30, 48 and 54) and the margin that its faces have.
MARGIN = 0.25
MEAN_FACE = (
    (0.225492, 0.215990),
    (0.754762, 0.215990),
    (0.490127, 0.515625),
    (0.254149, 0.780233),
    (0.726104, 0.780233),
)


def points() -> list[list[float]]:
    """Where the five points lie in a face's picture, in shares of its side."""
    return [[round((v + MARGIN) / (1 + 2 * MARGIN), 6) for v in point] for point in MEAN_FACE]


def detector(pack: Path) -> str:
    facts = tomllib.loads((pack / "model.toml").read_text("utf-8"))
    return f"{facts['name']}@{facts['revision']}"


def written(files: dict[str, bytes], found_by: str) -> bytes:
    """The manifest of `files`. `revision` follows all that decides which vectors a photo has."""
    digests = {name: blake3.blake3(data).hexdigest() for name, data in files.items()}
    rules = f"{found_by} {SIZE} {LEAST} {SMALLEST} {ASKEW} {points()}"
    revision = blake3.blake3("\n".join([rules, *digests.values()]).encode()).hexdigest()
    entries = "".join(
        f'\n[files."{name}"]\nsize = {len(data)}\nblake3 = "{digests[name]}"\n'
        for name, data in files.items()
    )
    return f"""\
# Written by build.py; see README.md.
name = "dlib-face"
revision = "{revision[:REVISION_DIGITS]}"
kind = "face-encoder"
description = "dlib's ResNet, whose face it is; for `photond people on`"
dims = {DIMS}

# From uint8 [N, side, side, 3] (RGB, any N) to float32 [N, dims]. Left eye, right eye (as the viewer sees
# them), nose, left and right corner of the mouth lie at `points`, in shares of the side. Faces are found by
# `detector` in the whole picture, its longer side scaled to `size`, in a tensor with sides that are multiples of
# `multiple`. Those are taken that have a score of
# `least` and are `smallest` pixels high there, and whose points lie no farther than `askew` from where they
# belong (root mean square, in shares of the side).
[faces]
file = "encoder.onnx"
weights = "face_recognition_model.bin"
tensor = "image"
output = "vector"
side = {SIDE}
points = {points()}
detector = "{found_by}"
size = {SIZE}
multiple = {MULTIPLE}
least = {LEAST}
smallest = {SMALLEST}
askew = {ASKEW}

# Two faces are one person's up to this distance.
[calibration]
kind = "distance"
same = {SAME}

[licence]
weights = "CC0-1.0"
packaging = "MIT"
packaging_text = "LICENSE-MIT.txt"
{entries}""".encode()
