"""WordNet 3.0's nouns with all that the rules look at.

Formats: `wndb(5WN)` for `data.noun` and `index.noun`, `cntlist(5WN)` for the tag counts:
how often people who marked up a corpus by sense chose this sense of the word.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

# Lexicographer files of nouns by number; `lexnames(5WN)`.
FILES = dict(
    enumerate(
        "Tops act animal artifact attribute body cognition communication event feeling food group "
        "location motive object person phenomenon plant possession process quantity relation "
        "shape state substance time".split(),
        start=3,
    )
)


def plain(word: str) -> str:
    """As words are compared when one is looked up."""
    return " ".join(word.lower().replace("-", " ").replace("_", " ").split())


@dataclass(frozen=True)
class Synset:
    """One meaning. `counts` has a tag count for each lemma."""

    key: str
    file: str
    lemmas: tuple[str, ...]
    counts: tuple[int, ...]
    gloss: str
    kinds: tuple[str, ...]
    classes: tuple[str, ...]
    usages: tuple[str, ...]

    @property
    def parents(self) -> tuple[str, ...]:
        """What it is a kind or an instance of."""
        return self.kinds + self.classes

    @property
    def is_instance(self) -> bool:
        """A single thing with a proper name."""
        return bool(self.classes)


@dataclass
class WordNet:
    """Every noun synset by key, and the senses of each word in WordNet's order.

    `tags` has the tag counts of each word over all parts of speech.
    """

    synsets: dict[str, Synset]
    senses: dict[str, list[str]]
    tags: Counter[str]
    children: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for synset in self.synsets.values():
            for parent in synset.parents:
                self.children[parent].append(synset.key)

    def __getitem__(self, key: str) -> Synset:
        return self.synsets[key]

    def below(self, key: str) -> set[str]:
        """The key and everything under it."""
        seen, todo = {key}, [key]
        while todo:
            for child in self.children.get(todo.pop(), ()):
                if child not in seen:
                    seen.add(child)
                    todo.append(child)
        return seen

    def above(self, key: str) -> set[str]:
        """Everything over the key."""
        seen: set[str] = set()
        todo = [key]
        while todo:
            for parent in self[todo.pop()].parents:
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return seen


def read(files: dict[str, str]) -> WordNet:
    """WordNet out of the texts of its three files."""
    counts, tags = _tag_counts(files["cntlist.rev"])
    synsets = {}
    for line in files["data.noun"].splitlines():
        if not line.startswith("  "):  # the licence at the head of the file
            synset = _synset(line, counts)
            synsets[synset.key] = synset
    senses = {}
    for line in files["index.noun"].splitlines():
        if not line.startswith("  "):
            fields = line.split()
            senses[fields[0].replace("_", " ")] = [f"n{k}" for k in fields[-int(fields[2]) :]]
    return WordNet(synsets, senses, tags)


def _tag_counts(cntlist: str) -> tuple[dict[tuple[str, int, int], int], Counter[str]]:
    """By (noun in lower case, lexicographer file, number in that file), and by word."""
    counts: dict[tuple[str, int, int], int] = {}
    tags: Counter[str] = Counter()
    for line in cntlist.splitlines():
        sense, _number, count = line.split()
        word, _, rest = sense.partition("%")
        word = word.replace("_", " ")
        kind, file, number, *_ = rest.split(":")
        tags[word] += int(count)
        if kind == "1":
            counts[word, int(file), int(number)] = int(count)
    return counts, tags


def _synset(line: str, counts: dict[tuple[str, int, int], int]) -> Synset:
    facts, _, gloss = line.partition("|")
    fields = facts.split()
    file, size = int(fields[1]), int(fields[3], 16)
    words = fields[4 : 4 + 2 * size : 2]
    numbers = [int(n, 16) for n in fields[5 : 5 + 2 * size : 2]]
    start = 4 + 2 * size
    pointers = [fields[start + 1 + 4 * i :][:3] for i in range(int(fields[start]))]

    def targets(symbol: str) -> tuple[str, ...]:
        return tuple(f"n{to}" for kind, to, part in pointers if kind == symbol and part == "n")

    return Synset(
        key=f"n{fields[0]}",
        file=FILES[file],
        lemmas=tuple(word.replace("_", " ") for word in words),
        counts=tuple(
            counts.get((word.replace("_", " ").lower(), file, number), 0)
            for word, number in zip(words, numbers, strict=True)
        ),
        gloss=gloss.strip(),
        kinds=targets("@"),
        classes=targets("@i"),
        usages=targets(";u"),
    )
