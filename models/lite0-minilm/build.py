#!/usr/bin/env python3
"""Builds the committed files of this model pack from pinned public sources.

    python3 -m venv .venv && .venv/bin/pip install --no-deps -r requirements.txt
    .venv/bin/python build.py            write the pack
    .venv/bin/python build.py --check    compare the pack with a fresh build
    .venv/bin/python build.py --measure PHOTOS
                                         how well it ranks; PHOTOS has labels.tsv:
                                         file, class key, name

Needs Python 3.11 or later, the text model and tokenizer (fetched by
tools/fetch_models.py, unless they are there) and WordNet 3.0 (found in
/usr/share/wordnet, fetched with apt-get, or --wordnet FILE). Half a minute on one core.

The same sources give the same vectors; on another processor a few values may differ by
their last bit, and then the committed file is kept, as is the revision made from it.
[calibration] in model.toml is kept as it stands there.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
CLASSIFIER = HERE.parent / "efficientnet-lite0"
# The sibling's recipe reads WordNet and the label bank; the project's tool fetches the model.
sys.path[1:1] = [str(CLASSIFIER), str(PROJECT / "tools")]

import fetch_models  # noqa: E402
from recipe.committed import settle, size  # noqa: E402
from recipe.sources import SourceError, Sources  # noqa: E402
from recipe.wordnet import WordNet  # noqa: E402
from steps import class_texts, class_vectors, manifest  # noqa: E402
from steps.text_encoder import TextEncoder  # noqa: E402

VECTORS = "class_vectors.bin"
CALIBRATION = '[calibration]\nkind = "cosine"\n'


def main() -> int:
    args = parse_arguments()
    try:
        fetch_models.ensure(args.models)
        wordnet = WordNet(Sources(args.cache, args.wordnet).wordnet_nouns())
        encoder = TextEncoder(args.models / "text_model.onnx", args.models / "tokenizer.json")
        if args.measure:
            from steps import measure  # Pillow is needed only here

            vectors = (HERE / VECTORS).read_bytes()
            print(measure.report(vectors, encoder, wordnet, CLASSIFIER, args.measure))
            return 0
        pack = build(wordnet, encoder, args.models)
    except (SourceError, fetch_models.Failure, ValueError, OSError) as problem:
        print(f"build: {problem}", file=sys.stderr)
        return 1
    return settle(HERE, pack, args.check, size(pack))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build or check this model pack.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--measure", type=Path, metavar="PHOTOS", help="measure on labelled photos")
    parser.add_argument("--wordnet", type=Path, help="WordNet 3.0's data.noun, or its folder")
    parser.add_argument(
        "--models",
        type=Path,
        default=PROJECT / "runtime" / "models" / "lite0-minilm",
        help="folder of the text model and tokenizer (default: the project's)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=PROJECT / ".venv" / "model-sources",
        help="where downloads are kept (default: .venv/model-sources in the project)",
    )
    return parser.parse_args()


def build(wordnet: WordNet, encoder: TextEncoder, models: Path) -> dict[str, bytes]:
    """The pack's committed files by name."""
    vectors = class_vectors.class_vectors(
        encoder, class_texts.class_texts(wordnet, class_keys())
    )
    committed = HERE / VECTORS
    if committed.is_file():
        kept = committed.read_bytes()
        if kept != vectors and class_vectors.same_but_for_rounding(kept, vectors):
            print(f"{VECTORS}: equal but for last bits of this processor's arithmetic")
            vectors = kept
    files = {
        VECTORS: vectors,
        "text_model.onnx": (models / "text_model.onnx").read_bytes(),
        "tokenizer.json": (models / "tokenizer.json").read_bytes(),
    }
    return {VECTORS: vectors, "model.toml": manifest.manifest(classifier(), files, calibration())}


def class_keys() -> list[str]:
    """WordNet's key of each of the classifier's rows."""
    lines = (CLASSIFIER / "vocabulary.tsv").read_text("utf-8").splitlines()[1:]
    terms = [line.split("\t")[:2] for line in lines]
    row_of = {key: int(row) for key, row in terms if row != "-"}
    if sorted(row_of.values()) != list(range(len(row_of))):
        raise ValueError("vocabulary.tsv: the rows have gaps")
    return sorted(row_of, key=row_of.__getitem__)


def classifier() -> str:
    """Whose probabilities the photo vectors are made of, `name@revision`."""
    facts = tomllib.loads((CLASSIFIER / "model.toml").read_text("utf-8"))
    return f"{facts['name']}@{facts['revision']}"


def calibration() -> str:
    """The table as it stands in the committed manifest: measured elsewhere, not built."""
    manifest_file = HERE / "model.toml"
    text = manifest_file.read_text("utf-8") if manifest_file.is_file() else ""
    found = re.search(r"(?:^#.*\n)*^\[calibration\]\n(?:(?!\[|#.*\n\[).*\n)*", text, re.MULTILINE)
    return found.group(0) if found else CALIBRATION


if __name__ == "__main__":
    sys.exit(main())
