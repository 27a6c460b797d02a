"""How common a noun is, for the order of the rows.

Tag counts are sparse: nine nouns in ten have none. So they are joined by how often
WordNet's own definitions and examples use the word, of which its meaning gets its
share. Among equals the one with more kinds below it comes first.
"""

from __future__ import annotations

import re
from collections import Counter

from .senses import count
from .wordnet import WordNet

WORD = re.compile(r"[a-z][a-z'.-]*")
LONGEST = 4  # words in a term that are looked for in the definitions


def uses(wordnet: WordNet) -> Counter[str]:
    """In how many definitions each of WordNet's words is used, but for its own."""
    found: Counter[str] = Counter()
    for synset in wordnet.synsets.values():
        tokens = WORD.findall(synset.gloss.lower())
        own = {lemma.lower() for lemma in synset.lemmas}
        here = set()
        for length in range(1, LONGEST + 1):
            for start in range(len(tokens) - length + 1):
                word = " ".join(tokens[start : start + length])
                for form in singulars(word):
                    if form in wordnet.senses and form not in own:
                        here.add(form)
                        break
        found.update(here)
    return found


def singulars(word: str) -> list[str]:
    """The word, and what it may be the plural of."""
    forms = [word]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("es"):
        forms.append(word[:-2])
    if word.endswith("s"):
        forms.append(word[:-1])
    return forms


def frequency(wordnet: WordNet, used: Counter[str], key: str, words: list[str]) -> float:
    """Of a synset with these words of its own.

    A word's uses are shared out by the tag counts over all its meanings, those as a verb
    or an adjective as well: "run" is used often and seldom means a score in baseball.
    """
    total = 0.0
    for word in words:
        if word not in wordnet.senses:
            continue
        own = count(wordnet, word, key)
        share = (own + 1) / (wordnet.tags[word] + len(wordnet.senses[word]))
        total += own + used[word] * share
    return total
