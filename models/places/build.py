#!/usr/bin/env python3
"""Builds the built-in place names from GeoNames, Unicode CLDR and ISO 3166.

    python3 build.py            write places.bin
    python3 build.py --check    compare it with a fresh build
    python3 build.py --counts   what each rule keeps and leaves out, and where the bytes are

Needs Python 3.11 or later and the packages of requirements.txt. The sources are fetched with pip and
npm, or found in --sources FOLDER. A minute. The same sources give the same content; the compressed
bytes may differ with another Brotli, so --check compares what they inflate to.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
# The scripts of all built-in files end alike.
sys.path.insert(1, str(HERE.parent / "efficientnet-lite0"))

from recipe.committed import settle  # noqa: E402
from steps import areas, pack, places  # noqa: E402
from steps.sources import SourceError, Sources  # noqa: E402

# All of it is compiled into the program.
MOST_BYTES = 4_000_000


def main() -> int:
    args = parse_arguments()
    try:
        sources = Sources(args.cache, args.sources)
        kept = places.read(sources)
        table = areas.read(sources, kept.places)
        packed = pack.pack(kept.places, table)
    except (SourceError, ValueError, OSError) as problem:
        print(f"build: {problem}", file=sys.stderr)
        return 1
    if args.counts:
        for reason, number in [*kept.counts.most_common(), *packed.counts.items()]:
            print(f"{number:9}  {reason}")
        return 0
    if len(packed.data) > MOST_BYTES:
        print(f"build: {len(packed.data)} bytes, more than {MOST_BYTES}", file=sys.stderr)
        return 1
    summary = f"{len(kept.places)} places, {len(packed.data)} bytes"
    return settle(HERE, {"places.bin": packed.data}, args.check, summary, content=pack.inflate)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build or check the built-in place names.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--counts", action="store_true", help="what each rule does")
    parser.add_argument("--sources", type=Path, help="folder with the packages' files")
    parser.add_argument(
        "--cache",
        type=Path,
        default=PROJECT / ".venv" / "model-sources",
        help="where downloads are kept (default: .venv/model-sources in the project)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
