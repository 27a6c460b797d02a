"""Reads WordNet 3.0 nouns: names, glosses and what is a kind of what.

`data.noun` has one synset per line, and a synset's key is the line's byte offset, with
an `n` before it: that is what ImageNet's class keys are. The format is in `wndb(5WN)`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Synset:
    """One meaning: its names in WordNet's order, its definition, the kinds it belongs to."""

    key: str
    lemmas: tuple[str, ...]
    gloss: str
    parents: tuple[str, ...]


class WordNet:
    """Every noun synset by key."""

    # `@` is "a kind of", `@i` "an instance of".
    HYPERNYM = ("@", "@i")

    def __init__(self, data_noun: str) -> None:
        self.synsets: dict[str, Synset] = {}
        for line in data_noun.splitlines():
            if line.startswith("  "):  # the licence at the head of the file
                continue
            facts, _, gloss = line.partition("|")
            fields = facts.split()
            key, count = f"n{fields[0]}", int(fields[3], 16)
            lemmas = tuple(f.replace("_", " ") for f in fields[4 : 4 + 2 * count : 2])
            start = 4 + 2 * count
            pointers = [fields[start + 1 + 4 * i :][:3] for i in range(int(fields[start]))]
            parents = tuple(
                f"n{target}"
                for symbol, target, part in pointers
                if symbol in self.HYPERNYM and part == "n"
            )
            self.synsets[key] = Synset(key, lemmas, gloss.strip(), parents)

    def __getitem__(self, key: str) -> Synset:
        return self.synsets[key]

    def with_ancestors(self, keys: list[str]) -> list[str]:
        """The keys and everything above them, sorted."""
        seen, todo = set(keys), list(keys)
        while todo:
            for parent in self[todo.pop()].parents:
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return sorted(seen)
