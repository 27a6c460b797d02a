#!/usr/bin/env python3
"""Builds the built-in vocabulary from WordNet 3.0 and the lists made by hand.

    python3 build.py            write lexicon.tsv.gz
    python3 build.py --check    compare it with a fresh build
    python3 build.py --counts   what each rule takes out, for the README

Needs Python 3.11 or later, no package, and WordNet 3.0 (found in /usr/share/wordnet,
fetched with apt-get, or --wordnet FOLDER). A few seconds. The same sources give the
same text; the compressed bytes may differ with another zlib, so --check compares texts.
"""

from __future__ import annotations

import argparse
import gzip
import io
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
# Where WordNet comes from is pinned in the classifier's recipe.
sys.path.insert(1, str(HERE.parent / "efficientnet-lite0"))

from recipe.committed import settle  # noqa: E402
from recipe.sources import SourceError  # noqa: E402
from steps import sources, table, wordnet  # noqa: E402


def main() -> int:
    args = parse_arguments()
    try:
        nouns = wordnet.read(sources.wordnet_files(args.cache, args.wordnet))
        lexicon = table.lexicon(nouns)
    except (SourceError, ValueError, OSError) as problem:
        print(f"build: {problem}", file=sys.stderr)
        return 1
    if args.counts:
        for reason, number in lexicon.counts.most_common():
            print(f"{number:6}  {reason}")
        return 0
    nodes = len(lexicon.entries) - lexicon.labels
    return settle(
        HERE,
        {"lexicon.tsv.gz": compress(lexicon.table())},
        args.check,
        f"{lexicon.labels} terms, {nodes} nodes",
        content=inflate,
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build or check the built-in vocabulary.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--counts", action="store_true", help="what each rule takes out")
    parser.add_argument("--wordnet", type=Path, help="folder with WordNet 3.0's files")
    parser.add_argument(
        "--cache",
        type=Path,
        default=PROJECT / ".venv" / "model-sources",
        help="where downloads are kept (default: .venv/model-sources in the project)",
    )
    return parser.parse_args()


def inflate(data: bytes) -> str | None:
    """The text in compressed bytes, if they are whole."""
    try:
        return gzip.decompress(data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError):
        return None


def compress(text: str) -> bytes:
    """With nothing in the header that changes from run to run."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text.encode("utf-8"))
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
