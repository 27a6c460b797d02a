"""Which of a word's meanings has the word.

A word belongs to one term only: to the meaning that the tag counts have as the most
frequent one, or, where nobody can see that one, to the most frequent one that can be
seen, if people mean it often enough. What that gets wrong and matters on photos is set
right by hand in `senses.tsv`.
"""

from __future__ import annotations

from pathlib import Path

from .wordnet import WordNet, plain

SENSES = Path(__file__).with_name("senses.tsv")
# A meaning that can be seen has the word of one that cannot, if so much of the word's
# tags is its own,
LEAST_SHARE = 0.1
# or, where none of the word's meanings has a tag, if it is among so many first ones.
FIRST = 3
# Meat, the flesh of fish, animal skin, wood; colours.
STUFFS = ("n07649854", "n07776866", "n07775375", "n14758842", "n15098161", "n04956594")
THINGS = {"animal", "plant", "food", "object", "artifact"}
# Vegetables, fruit, nuts as they are eaten.
PRODUCE = ("n07705711", "n07705931", "n07707451")
# Words of one or two letters are symbols and abbreviations of everything ("OR", "HA", "K");
# these are said.
SHORTEST = 3
SHORT = {"ax", "cd", "go", "ox", "pc", "pj", "tv", "ufo"}


def by_hand(wordnet: WordNet) -> dict[str, str | None]:
    """`senses.tsv`: the owner of a word, or nothing for a word that is no tag at all."""
    owners: dict[str, str | None] = {}
    for line in SENSES.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        word, key = line.split("\t")[:2]
        if word in owners:
            raise ValueError(f"senses.tsv: {word} is there twice")
        if key != "-" and key not in wordnet.senses.get(word, ()):
            raise ValueError(f"senses.tsv: {word} does not mean {key}")
        owners[word] = None if key == "-" else key
    return owners


def count(wordnet: WordNet, word: str, key: str) -> int:
    """How often people tagged the word with this meaning."""
    synset = wordnet[key]
    return sum(
        count
        for lemma, count in zip(synset.lemmas, synset.counts, strict=True)
        if lemma.lower() == word
    )


def owners(
    wordnet: WordNet, seen: set[str], said: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The owner of each word among `seen`, and why words of `seen` are lost to it.

    `said` are names the classifier shows, by key.
    """
    hand = by_hand(wordnet)
    voted = {plain(name): key for key, name in said.items()}
    stuffs = set().union(*(wordnet.below(key) for key in STUFFS))
    produce = set().union(*(wordnet.below(key) for key in PRODUCE))
    found: dict[str, str] = {}
    lost: dict[str, str] = {}
    for word, senses in wordnet.senses.items():
        if len(word) < SHORTEST and word not in SHORT:
            continue
        visible = [key for key in senses if key in seen]
        if not visible:
            continue
        if word in hand or plain(word) in voted:
            owner = hand.get(word, voted.get(plain(word)))
            if owner is not None:
                found[word] = owner
            else:
                lost[word] = "struck out by hand"
            continue
        counts = {key: count(wordnet, word, key) for key in senses}
        most = max(senses, key=lambda key: counts[key])  # the first of equals
        best = max(visible, key=lambda key: counts[key])
        total = sum(counts.values())
        if (
            best == most
            or (total and counts[best] >= LEAST_SHARE * total)
            or (not total and senses.index(best) < FIRST)
        ):
            found[word] = _whole(wordnet, visible, best, counts, stuffs, produce)
        else:
            lost[word] = wordnet[most].lemmas[0]
    return found, lost


def _whole(
    wordnet: WordNet,
    visible: list[str],
    best: str,
    counts: dict[str, int],
    stuffs: set[str],
    produce: set[str],
) -> str:
    """The thing rather than what is made of it, the fruit rather than its plant.

    WordNet has the flesh, the fur, the timber and the colour of a thing as meanings of
    their own, often the first; a photo of a lobster shows the animal more often than its
    flesh, one of a broccoli the vegetable and not the field.
    """
    if best in stuffs:
        things = [key for key in visible if wordnet[key].file in THINGS and key not in stuffs]
        return max(things, key=lambda key: counts[key], default=best)
    if wordnet[best].file == "plant":
        eaten = [key for key in visible if key in produce and counts[key] >= counts[best]]
        return eaten[0] if eaten else best
    return best
