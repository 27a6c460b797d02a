"""`lexicon.tsv` out of WordNet, the rules and the curated terms.

One line a term, the first ones with a row in the label bank, then the nodes that are
only there so that every chain of kinds is whole. Parents are given by line, counted
from 0 after the header.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from . import classifier, curated, order, senses, visible
from .wordnet import WordNet, plain

HEADER = "# key\tname\tsynonyms\tcategory\tparents\n"
NODE = "-"
# Of persons only what is said of them often: see `order.frequency`.
LEAST_USE_OF_A_ROLE = 2.0


@dataclass
class Entry:
    """A line of the lexicon, parents still by key."""

    key: str
    name: str
    synonyms: list[str]
    category: str
    parents: tuple[str, ...]


@dataclass
class Lexicon:
    """All entries, labels first, and what happened on the way."""

    entries: list[Entry]
    labels: int
    counts: Counter[str] = field(default_factory=Counter)

    def table(self) -> str:
        """The file's text."""
        line = {entry.key: number for number, entry in enumerate(self.entries)}
        rows = [HEADER]
        for entry in self.entries:
            parents = "|".join(str(line[key]) for key in entry.parents)
            synonyms = "|".join(entry.synonyms)
            rows.append(f"{entry.key}\t{entry.name}\t{synonyms}\t{entry.category}\t{parents}\n")
        return "".join(rows)


def lexicon(wordnet: WordNet) -> Lexicon:
    """The whole vocabulary."""
    said = classifier.names()
    judgement = visible.judge(wordnet, set(said))
    by_hand = curated.read(wordnet)
    taken = {plain(word) for term in by_hand for word in term.words()}
    chosen = {term.key for term in by_hand}
    owners, lost = senses.owners(wordnet, judgement.seen | chosen, said)
    words = defaultdict(list)  # of a synset's own, in lower case
    for word, key in owners.items():
        if plain(word) not in taken:
            words[key].append(word)
    general = visible.general(wordnet) - set(said)

    counts = Counter(why for key, why in judgement.reasons.items() if key not in chosen)
    labels = [_curated(wordnet, term, words[term.key]) for term in by_hand]
    used = order.uses(wordnet)
    nouns = []
    _add_said(wordnet, said, words, taken | {plain(word) for word in owners})
    for key in sorted(judgement.seen - chosen):
        if key in general:
            counts["too general"] += 1
        elif not words[key]:
            counts["all its words mean something else first"] += 1
        else:
            nouns.append(key)
    below = {key: len(wordnet.below(key)) for key in nouns}
    nouns, roles = _in_use(wordnet, used, nouns, words, set(said))
    counts["a person's role nobody uses"] = roles
    rank = {key: order.frequency(wordnet, used, key, words[key]) for key in nouns}
    nouns.sort(key=lambda key: (-rank[key], -below[key], key))
    genera = visible.genera(wordnet)
    _drop_spellings(nouns, words)
    spelt = [key for key in nouns if words[key]]
    counts["all its words mean something else first"] += len(nouns) - len(spelt)
    nouns = spelt
    labels += [_noun(wordnet, key, words[key], said.get(key), genera) for key in nouns]

    is_label = {entry.key for entry in labels}
    above = {k for entry in labels for p in entry.parents for k in wordnet.above(p) | {p}}
    nodes = sorted(above - is_label)
    named = {plain(word) for entry in labels for word in (entry.name, *entry.synonyms)}
    entries = labels + [_node(wordnet, key, words.get(key, []), named) for key in nodes]
    counts["curated terms"] = len(by_hand)
    counts["nouns"] = len(nouns)
    counts["nodes"] = len(nodes)
    counts["words lost to a meaning nobody sees"] = len(lost)
    _check(entries)
    return Lexicon(entries, len(labels), counts)


def _curated(wordnet: WordNet, term: curated.Term, own: list[str]) -> Entry:
    if term.key.startswith("v."):
        return Entry(term.key, term.name, list(term.synonyms), term.category, term.parents)
    synset = wordnet[term.key]
    written = []
    for lemma in synset.lemmas:
        if lemma.lower() in own and plain(lemma) not in map(plain, written):
            written.append(lemma)
    return Entry(
        term.key,
        term.name,
        [*term.synonyms, *written],
        term.category,
        term.parents or synset.parents,
    )


def _noun(wordnet: WordNet, key: str, own: list[str], said: str | None, genera: set[str]) -> Entry:
    synset = wordnet[key]
    written = [
        (lemma, count)
        for lemma, count in zip(synset.lemmas, synset.counts, strict=True)
        if lemma.lower() in own
    ]
    # WordNet's order, but the most tagged first, and abbreviations and Latin last.
    def order(pair: tuple[str, int]) -> tuple[bool, bool, int]:
        lemma, count = pair
        return visible.is_latin(lemma, genera), lemma.isupper(), -count

    names = sorted(written, key=order)
    spellings = {plain(lemma): lemma for lemma, _count in reversed(names)}
    name, *rest = list(reversed(spellings.values())) or [said or ""]
    if said and plain(said) in map(plain, own):
        rest = [lemma for lemma in (name, *rest) if plain(lemma) != plain(said)]
        name = said
    return Entry(key, name, rest, f"noun.{synset.file}", synset.parents)


def _add_said(
    wordnet: WordNet, said: dict[str, str], words: dict[str, list[str]], taken: set[str]
) -> None:
    """The classifier's names that WordNet has no word for. One whose word another term has, and
    that has no other word, is told from it by its kind: "baseball (ball)"."""
    for key, name in said.items():
        if plain(name) not in taken:
            words[key].append(name.lower())
        elif not words[key]:
            said[key] = f"{name} ({wordnet[wordnet[key].parents[0]].lemmas[0]})"
            words[key].append(said[key].lower())


def _drop_spellings(nouns: list[str], words: dict[str, list[str]]) -> None:
    """WordNet's "bull-terrier" and "bull terrier" may be two words of two synsets: the more
    used synset has both, and of one synset's the first stays."""
    seen: set[str] = set()
    for key in nouns:
        kept = []
        for word in words[key]:
            if plain(word) not in seen:
                seen.add(plain(word))
                kept.append(word)
        words[key] = kept


def _in_use(
    wordnet: WordNet,
    used: Counter[str],
    nouns: list[str],
    words: dict[str, list[str]],
    said: set[str],
) -> tuple[list[str], int]:
    """Without the roles of persons that hardly anybody names, and how many those are."""
    kept = [
        key
        for key in nouns
        if wordnet[key].file != "person"
        or key in said
        or order.frequency(wordnet, used, key, words[key]) >= LEAST_USE_OF_A_ROLE
    ]
    return kept, len(nouns) - len(kept)


def _node(wordnet: WordNet, key: str, own: list[str], named: set[str]) -> Entry:
    """A node has its words where no label has them, and in any case a name."""
    synset = wordnet[key]
    free = [
        lemma
        for lemma in synset.lemmas
        if plain(lemma) not in named and wordnet.senses[lemma.lower()][0] == key
    ]
    if not free:
        first = synset.lemmas[0]
        free = [f"{first} ({synset.file})"]
        if plain(free[0]) in named:
            free = [f"{first} ({key})"]
    named.update(plain(word) for word in free)
    return Entry(key, free[0], free[1:], NODE, synset.parents)


def _check(entries: list[Entry]) -> None:
    owner: dict[str, str] = {}
    for entry in entries:
        for word in (entry.name, *entry.synonyms):
            if not word or word != word.strip() or any(c in word for c in "\t\n|"):
                raise ValueError(f"{entry.key}: the word {word!r} cannot be written")
            if other := owner.get(plain(word)):
                raise ValueError(f"{word} is owned by {other} and by {entry.key}")
            owner[plain(word)] = entry.key
    keys = [entry.key for entry in entries]
    if len(set(keys)) != len(keys):
        raise ValueError("a key is there twice")
