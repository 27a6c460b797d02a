"""The terms chosen and written by hand: `curated.tsv`.

A term that WordNet has in the same meaning goes by the synset's key, so that it keeps
its place among the kinds; one that WordNet lacks goes by `v.` and its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .wordnet import WordNet

CURATED = Path(__file__).parent.parent / "curated.tsv"
KEY = re.compile(r"v\.[a-z0-9]+(-[a-z0-9]+)*|n\d{8}")


@dataclass(frozen=True)
class Term:
    key: str
    name: str
    synonyms: tuple[str, ...]
    category: str
    parents: tuple[str, ...]

    def words(self) -> tuple[str, ...]:
        return (self.name, *self.synonyms)


def read(wordnet: WordNet) -> list[Term]:
    """All terms in the order of the file, which is the order of the rows."""
    terms: list[Term] = []
    for number, line in enumerate(CURATED.read_text("utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 5:
            raise ValueError(f"curated.tsv, line {number}: it has not five columns")
        key, name, synonyms, category, parents = columns
        if not KEY.fullmatch(key) or (key[0] == "n" and key not in wordnet.synsets):
            raise ValueError(f"curated.tsv, line {number}: {key} is no key")
        terms.append(Term(key, name, _split(synonyms), category, _split(parents)))
    keys = {term.key for term in terms}
    for term in terms:
        for parent in term.parents:
            if parent not in keys and parent not in wordnet.synsets:
                raise ValueError(f"curated.tsv: {term.key} has no parent {parent}")
    return terms


def _split(field: str) -> tuple[str, ...]:
    return tuple(word for word in field.split("|") if word)
