#!/usr/bin/env python3
"""Builds the committed files of this model pack from pinned public sources.

    python3 -m venv .venv && .venv/bin/pip install -r ../efficientnet-lite0/requirements.txt
    .venv/bin/python build.py            write the pack
    .venv/bin/python build.py --check    compare the pack with a fresh build
    .venv/bin/python build.py --compare  the graph beside the same network in NumPy

Needs Python 3.11 or later and, for the first build, npm (13 MB). The weights themselves are not
committed: tools/fetch_models.py brings them. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "efficientnet-lite0")]

import numpy as np  # noqa: E402
from detection.sources import Tarball, read_tarball  # noqa: E402
from recipe.committed import settle, size  # noqa: E402
from recipe.sources import SourceError  # noqa: E402
from steps import manifest, network, reference, weights  # noqa: E402

FACE_API = Tarball(
    "@vladmandic/face-api@1.7.15",
    "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
)
MEMBERS = ["model/face_recognition_model-weights_manifest.json", f"model/{weights.FILE}"]
GRAPH = "encoder.onnx"


def main() -> int:
    parser = argparse.ArgumentParser(description="Build or check this model pack.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--compare", action="store_true", help="the graph beside NumPy")
    parser.add_argument(
        "--cache",
        type=Path,
        default=PROJECT / ".venv" / "model-sources",
        help="where downloads are kept (default: .venv/model-sources in the project)",
    )
    args = parser.parse_args()
    try:
        listed, data = read_tarball(args.cache, FACE_API, MEMBERS)
        tensors = weights.tensors(listed, len(data))
        graph = network.model(tensors).SerializeToString(deterministic=True)
        if args.compare:
            print(compared(tensors, data, graph))
            return 0
        files = {GRAPH: graph, weights.FILE: data}
        written = manifest.written(files, manifest.detector(HERE.parent / "centerface"))
        pack = {GRAPH: graph, "model.toml": written}
    except (SourceError, ValueError, OSError) as problem:
        print(f"build: {problem}", file=sys.stderr)
        return 1
    return settle(HERE, pack, args.check, size(pack))


def compared(tensors: dict[str, weights.Tensor], data: bytes, graph: bytes) -> str:
    """How far the graph's vectors are from those of the network in NumPy."""
    import onnxruntime

    images = np.random.default_rng(1).integers(0, 256, (4, *[network.SIDE] * 2, 3), np.uint8)
    images[1] = 128
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, weights.FILE).write_bytes(data)
        Path(folder, GRAPH).write_bytes(graph)
        session = onnxruntime.InferenceSession(
            str(Path(folder, GRAPH)), providers=["CPUExecutionProvider"]
        )
        (found,) = session.run(None, {"image": images})
    expected = reference.vectors(tensors, data, images)
    length = np.linalg.norm(expected, axis=1).min()
    return f"at most {np.abs(found - expected).max():.1e} apart, in vectors of length {length:.2f}"


if __name__ == "__main__":
    sys.exit(main())
