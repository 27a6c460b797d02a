"""`model.toml` of CenterFace."""

from __future__ import annotations

from detection import manifest

# The longer side of the picture in the tensor.
SIZE = 480
CALIBRATION = """\
kind = "threshold"
shown = 0.45

# Faces are looked for where the detector of things, if it is on, sees somebody this surely.
[after]
class = "person"
score = 0.25
"""


def written(files: dict[str, bytes]) -> bytes:
    return manifest.written(
        manifest.Facts(
            name="centerface",
            description="CenterFace, faces with five points, int8",
            classes='class = "face"',
            outputs='scores = "scores"\nboxes = "boxes"\npoints = "points"',
            size=SIZE,
            least=0.2,
            overlap=0.3,
            most=500,
            calibration=CALIBRATION,
            licence='weights = "MIT"\nweights_text = "LICENSE-MIT.txt"',
        ),
        files,
    )
