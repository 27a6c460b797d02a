"""What both detectors' build.py do with their arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from recipe.committed import settle, size
from recipe.sources import SourceError, Sources

from . import graph, measure
from .layers import Network

PROJECT = Path(__file__).resolve().parent.parent.parent


def run(
    folder: Path,
    usage: str,
    build: Callable[[Sources], dict[str, bytes]],
    load: Callable[[Sources], Network],
    decode: graph.Decode,
    side: int,
) -> int:
    """The script's exit code."""
    parser = argparse.ArgumentParser(
        description=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--measure", type=Path, metavar="PHOTOS", help="int8 against float")
    if (folder / "classes.tsv").is_file():
        parser.add_argument("--calibrate", type=Path, nargs=2, metavar=("PHOTOS", "LABELS"))
    parser.add_argument(
        "--cache",
        type=Path,
        default=PROJECT / ".venv" / "model-sources",
        help="where downloads are kept (default: .venv/model-sources in the project)",
    )
    args = parser.parse_args()
    sources = Sources(args.cache)
    try:
        if args.measure:
            reference = graph.float_model(load(sources), decode).SerializeToString()
            print(measure.report(folder, reference, args.measure, side))
            return 0
        if getattr(args, "calibrate", None):
            from . import calibrate

            print(calibrate.report(folder, *args.calibrate))
            return 0
        pack = build(sources)
    except (SourceError, ValueError, OSError) as problem:
        print(f"build: {problem}", file=sys.stderr)
        return 1
    return settle(folder, pack, args.check, size(pack))
