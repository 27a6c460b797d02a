"""`model.toml` of NanoDet-g."""

from __future__ import annotations

from detection import manifest

# The longer side of the picture in the tensor: what the network was trained at.
SIZE = 416
# Fitted by `build.py --calibrate` (see the README), less detection.calibrate.SHRINK.
CALIBRATION = """\
kind = "sized-logistic"
area = 0.02
per_area = 0.25
alone = [2.18, 0.92]
with_classifier = [1.89, 0.4, 1.53]
with_classifier_size = [0.1, 0.345]

# How likely there are people: weights of the best person box's and the best face's evidence, and
# a constant; what each is at least, and where nothing is found.
[people]
weights = [3.2, 0.8]
constant = 1.5
least = [-2.7, -1.0]
face_area = 0.004
"""


def written(files: dict[str, bytes]) -> bytes:
    return manifest.written(
        manifest.Facts(
            name="nanodet-g",
            description="NanoDet-g, 80 kinds of things (COCO), int8",
            classes='classes = "classes.tsv"',
            outputs='scores = "scores"\nboxes = "boxes"',
            size=SIZE,
            least=0.2,
            overlap=0.5,
            most=100,
            calibration=CALIBRATION,
            licence='weights = "Apache-2.0"\nweights_text = "LICENSE-Apache-2.0.txt"',
        ),
        files,
    )
