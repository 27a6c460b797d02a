#!/usr/bin/env python3
"""Builds the model pack in this folder from pinned public sources.

    python3 -m venv .venv && .venv/bin/pip install -r ../efficientnet-lite0/requirements.txt
    .venv/bin/python build.py            write the pack
    .venv/bin/python build.py --check    compare the pack with a fresh build
    .venv/bin/python build.py --measure PHOTOS
                                         int8 against float, and speed, on a folder of JPEGs
    .venv/bin/python build.py --calibrate PHOTOS LABELS
                                         what its scores mean; LABELS is JSON: photo → class →
                                         share of the picture's area

Needs Python 3.11 or later and, for the first build, npm and pip's package index (about 110 MB).
The same sources give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "efficientnet-lite0")]

from detection import calibration, command, graph  # noqa: E402
from detection.sources import Tarball, read_tarball  # noqa: E402
from recipe.sources import Sources  # noqa: E402
from steps import classes, manifest, tfjs  # noqa: E402
from steps.decode import decode  # noqa: E402
from steps.network import LOGITS, network  # noqa: E402

# The last release that had this network; later ones have another, whose licence nobody states.
HUMAN = Tarball(
    "@vladmandic/human@1.8.1",
    "63cc16789fd5f6f28ab163bb984ede4b82399c9cb8615640a944d7624d4e3164",
)
# A logit below means nothing (0.1 %), one above does not happen (98 %).
SCORE_RANGE = (-7.0, 4.0)


def load(sources: Sources):
    topology, weights = read_tarball(
        sources.cache, HUMAN, ["models/nanodet.json", "models/nanodet.bin"]
    )
    return network(tfjs.tensors(topology, weights))


def build(sources: Sources) -> dict[str, bytes]:
    """Every file of the pack by name; classes.tsv is made by hand and checked."""
    table = (HERE / "classes.tsv").read_bytes()
    classes.check(table, HERE.parent / "efficientnet-lite0")
    net = load(sources)
    inputs = calibration.tensors(sources, manifest.SIZE)
    ranges = calibration.ranges(net, inputs, graph.watched(net), rare=100_000)
    ranges |= {head: SCORE_RANGE for head in net.heads if head.endswith(LOGITS)}
    model = graph.quantised_model(net, decode, ranges)
    files = {
        "detector.onnx": model.SerializeToString(deterministic=True),
        "classes.tsv": table,
    }
    return {**files, "model.toml": manifest.written(files)}


if __name__ == "__main__":
    sys.exit(command.run(HERE, __doc__, build, load, decode, manifest.SIZE))
