"""The names the built-in classifier shows: `vocabulary.tsv` of its pack.

Its terms are synsets too, and each was looked at by hand. So that both taggers say the
same by the same word, such a name belongs to the classifier's synset here as well.
"""

from __future__ import annotations

from pathlib import Path

VOCABULARY = Path(__file__).parents[2] / "efficientnet-lite0" / "vocabulary.tsv"


def names() -> dict[str, str]:
    """The shown name by key, of terms that are not too general to be shown."""
    found = {}
    for line in VOCABULARY.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            key, _row, general, name, *_ = line.split("\t")
            if general == "0":
                found[key] = name
    return found
