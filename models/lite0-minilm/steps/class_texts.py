"""What is said of each class of the classifier, in WordNet's words.

Three groups: the class's own names, the kinds it belongs to, and its definition. Kinds
are those that people would say: nearly everything in a photo is an "object" or an
"entity", so a kind that takes in more than a quarter of all classes says nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

NAMES = 3  # most of a class's own names; WordNet has the usual ones first
WIDEST_KIND = 0.25  # share of all classes


class Synset(Protocol):
    lemmas: tuple[str, ...]
    gloss: str
    parents: tuple[str, ...]


class WordNet(Protocol):
    def __getitem__(self, key: str) -> Synset: ...

    def with_ancestors(self, keys: list[str]) -> list[str]: ...


@dataclass(frozen=True)
class ClassTexts:
    """The three groups; none is empty."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    definition: str

    def groups(self) -> tuple[tuple[str, ...], ...]:
        return self.names, self.kinds, (self.definition,)


def class_texts(wordnet: WordNet, keys: list[str]) -> list[ClassTexts]:
    """The texts of each class, in the order of `keys`."""
    classes_below: Counter[str] = Counter()
    for key in keys:
        classes_below.update(wordnet.with_ancestors([key]))
    widest = WIDEST_KIND * len(keys)
    found = []
    for key in keys:
        line = _line_of_kinds(wordnet, key)
        kinds = [kind for kind in line if classes_below[kind] <= widest] or line[:1]
        found.append(
            ClassTexts(
                names=wordnet[key].lemmas[:NAMES],
                kinds=tuple(wordnet[kind].lemmas[0] for kind in kinds),
                definition=wordnet[key].gloss.split(";")[0].strip(),
            )
        )
    return found


def _line_of_kinds(wordnet: WordNet, key: str) -> list[str]:
    """The keys above `key`, nearest first, always by the first parent: WordNet's main line."""
    line = []
    while wordnet[key].parents:
        key = wordnet[key].parents[0]
        line.append(key)
    return line
