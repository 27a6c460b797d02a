"""Which synsets can be a photo's tag: the rules on record, applied and counted.

`rules.tsv` (made by hand) says what is in and what is out, by subtree or one by one; a
synset goes by the nearest subtree rule above it, and where none is, by its
lexicographer file. Rules that need no list are here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .wordnet import Synset, WordNet

RULES = Path(__file__).with_name("rules.tsv")
GENERAL = Path(__file__).with_name("general.tsv")
# Files whose things can be seen unless a rule says otherwise; of the others, nothing is
# in unless a rule says so.
SEEN = {"animal", "artifact", "food", "object", "plant", "shape"}
TAXA = "n07992450"  # taxonomic group: families, genera and so on
# Usage notes of WordNet: the word is an insult or an obscenity.
INSULTS = {"disparagement", "ethnic slur", "obscenity", "vulgarism"}
INSULTING = re.compile(
    r"\b(offensive|slurs?|disparag\w+|derogatory|vulgar|obscene|obscenity|pejorative|insulting|"
    r"contemptuous|contemptible)\b"
)


@dataclass(frozen=True)
class Rules:
    """Subtrees and single synsets by key: true is in, false is out."""

    subtrees: dict[str, bool]
    singles: dict[str, bool]


def read_rules(wordnet: WordNet) -> Rules:
    """`rules.tsv`, each key checked by the word beside it."""
    subtrees: dict[str, bool] = {}
    singles: dict[str, bool] = {}
    for line in RULES.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        verdict, key, word = line.split("\t")[:3]
        if word not in wordnet[key].lemmas:
            raise ValueError(f"rules.tsv: {key} is {wordnet[key].lemmas[0]}, not {word}")
        table = subtrees if verdict in "+-" else singles
        if key in table:
            raise ValueError(f"rules.tsv: {key} is there twice")
        table[key] = {"+": True, "=": True, "-": False, "!": False}[verdict]
    return Rules(subtrees, singles)


@dataclass
class Judgement:
    """The synsets that can be tags, and the reason for each other one."""

    seen: set[str]
    reasons: dict[str, str]


def judge(wordnet: WordNet, said: set[str]) -> Judgement:
    """Every synset's verdict; those in `said` were looked at for the classifier."""
    rules = read_rules(wordnet)
    taxa = wordnet.below(TAXA)
    latin = genera(wordnet)
    verdict = Judgement(set(), {})
    for key, synset in wordnet.synsets.items():
        reason = None if key in said else _reason(wordnet, rules, synset, taxa, latin)
        if reason:
            verdict.reasons[key] = reason
        else:
            verdict.seen.add(key)
    return verdict


def _reason(
    wordnet: WordNet, rules: Rules, synset: Synset, taxa: set[str], latin: set[str]
) -> str | None:
    """Why the synset is no tag, or nothing."""
    single = rules.singles.get(synset.key)
    if single is True:
        return None
    if synset.is_instance:
        return "a single thing with a proper name"
    if synset.key in taxa:
        return "a taxonomic group"
    if single is False:
        return "struck out one by one"
    if insulting(wordnet, synset):
        return "WordNet notes an insult or obscenity"
    ruled = _nearest(wordnet, rules.subtrees, synset.key)
    if ruled is False:
        return f"a subtree that is out, {synset.file}"
    if ruled is None and synset.file not in SEEN:
        return f"nothing to see: noun.{synset.file}"
    if all(is_latin(lemma, latin) for lemma in synset.lemmas):
        return "has a Latin name only"
    return None


def insulting(wordnet: WordNet, synset: Synset) -> bool:
    """True if WordNet marks it so, or its definition says so (examples apart)."""
    if any(INSULTS & set(wordnet[usage].lemmas) for usage in synset.usages):
        return True
    return bool(INSULTING.search(re.sub(r'"[^"]*"', "", synset.gloss)))


def _nearest(wordnet: WordNet, subtrees: dict[str, bool], key: str) -> bool | None:
    """What the nearest ruled synset at or above says; among equally near ones, out wins."""
    level, seen = [key], {key}
    while level:
        found = [subtrees[k] for k in level if k in subtrees]
        if found:
            return all(found)
        level = [p for k in level for p in wordnet[k].parents if p not in seen and not seen.add(p)]
    return None


def genera(wordnet: WordNet) -> set[str]:
    """The names of all taxonomic groups."""
    return {
        lemma
        for key in wordnet.below(TAXA)
        for lemma in wordnet[key].lemmas
        if lemma[:1].isupper()
    }


def is_latin(lemma: str, genera: set[str]) -> bool:
    """A genus, or a species after its genus."""
    first, _, rest = lemma.partition(" ")
    return first in genera and (not rest or rest.islower())


def general(wordnet: WordNet) -> set[str]:
    """`general.tsv`: what can be seen but says nothing; kept as nodes."""
    found = set()
    for line in GENERAL.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            key, word = line.split("\t")[:2]
            if word not in wordnet[key].lemmas:
                raise ValueError(f"general.tsv: {key} is {wordnet[key].lemmas[0]}, not {word}")
            found.add(key)
    return found
