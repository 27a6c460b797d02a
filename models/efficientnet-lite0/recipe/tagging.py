"""From an embedding to tags, as photond does it: the tables of the pack, and the arithmetic.

`likely` shifts the classes' odds from ImageNet's even spread to what people photograph; the
softmax is taken at the manifest's temperature. A term's evidence is the sum of the classes'
probabilities, each by how likely the term is true of such a photo: 1 at or below a class or a
kind, and what `concepts.tsv` says for an everyday word. A logistic function of its log odds, one
for each group of terms (class, kind, concept), makes the evidence a confidence.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import head

GROUPS = ("classes", "kinds", "concepts")
KINDS = ("thing", "scene", "activity", "people")
CONCEPT_HEADER = "# key\tname\tsynonyms\tkind\tmembers"
CLASS_HEADER = "# term\tlikely\tquiet"


@dataclass
class Term:
    """One thing that can be said of a photo."""

    key: str
    name: str
    group: str
    synonyms: list[str]
    # How likely it is true of a photo of each class.
    weights: np.ndarray
    parents: list[str] = field(default_factory=list)


@dataclass
class Vocabulary:
    """`vocabulary.tsv`: names, rows and what is below each term."""

    rows: list[list[str]]
    key_of: dict[str, str]
    below: dict[str, set[int]]

    @classmethod
    def parse(cls, text: str) -> Vocabulary:
        rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
        parents = {key: above.split("|") if above else [] for key, *_, above in rows}
        below: dict[str, set[int]] = defaultdict(set)
        for key, row, *_ in rows:
            todo = [key] if row != "-" else []
            while todo:
                term = todo.pop()
                if int(row) not in below[term]:
                    below[term].add(int(row))
                    todo += parents[term]
        names = {name.lower(): key for key, _row, _general, name, *_ in rows}
        return cls(rows, names, dict(below))

    def classes(self) -> int:
        return sum(row != "-" for _key, row, *_ in self.rows)

    def leaves(self, name: str, where: str) -> set[int]:
        """The classes at or below the term of this name."""
        key = self.key_of.get(name.lower())
        if key is None:
            raise ValueError(f"{where}: {name!r} is no term of the vocabulary")
        return self.below[key]


def concepts(text: str, vocabulary: Vocabulary) -> list[Term]:
    """`concepts.tsv`, checked."""
    found, owner, keys = [], {}, set()
    for key, name, synonyms, kind, members in _lines(text, "concepts.tsv", CONCEPT_HEADER, 5):
        where = f"concepts.tsv: {key}"
        if kind not in KINDS or not (key[0] == "n" or key[:2] in ("c.", "v.")) or key in keys:
            raise ValueError(f"{where}: a bad kind, a bad key, or one that is there twice")
        keys.add(key)
        weights = np.zeros(vocabulary.classes(), np.float32)
        for member in members.split("|"):
            term, weight = _weighted(member)
            if not 0 < weight <= 1:
                raise ValueError(f"{where}: {member!r}: a likelihood is above 0 and at most 1")
            for row in vocabulary.leaves(term, where):
                weights[row] = max(weights[row], weight)
        term = Term(key, name, "concepts", [s for s in synonyms.split("|") if s], weights)
        for word in (term.name, *term.synonyms):
            if (other := owner.setdefault(word.lower(), key)) != key:
                raise ValueError(f"{where}: {other} has the word {word!r} too")
        found.append(term)
    return found


def words(text: str) -> set[str]:
    """Names and synonyms of all concepts."""
    lines = _lines(text, "concepts.tsv", CONCEPT_HEADER, 5)
    return {word for _, name, synonyms, *_ in lines for word in (name, *synonyms.split("|")) if word}


def likelihoods(text: str, vocabulary: Vocabulary) -> tuple[np.ndarray, set[str]]:
    """`classes.tsv`, checked: a factor a class, and the keys of quiet terms."""
    lines, quiet = [], set()
    for name, likely, flag in _lines(text, "classes.tsv", CLASS_HEADER, 3):
        where = f"classes.tsv: {name}"
        leaves = vocabulary.leaves(name, where)
        if flag not in ("", "quiet") or not 0.05 <= float(likely) <= 20:
            raise ValueError(f"{where}: {likely} {flag}")
        if flag:
            quiet.add(vocabulary.key_of[name.lower()])
        lines.append((len(leaves), leaves, float(likely)))
    factors = np.ones(vocabulary.classes(), np.float32)
    # The narrowest line is the last word; a line that only makes a term quiet says 1.
    for _, leaves, likely in sorted(lines, key=lambda line: -line[0]):
        if likely != 1 or len(leaves) == 1:
            factors[list(leaves)] = likely
    return factors, quiet


class Tagger:
    """The pack's tags."""

    def __init__(self, pack: Path) -> None:
        read = lambda name: (pack / name).read_text("utf-8")  # noqa: E731
        self.weight, self.bias = head.read_label_bank((pack / "head.bin").read_bytes())
        self.vocabulary = Vocabulary.parse(read("vocabulary.tsv"))
        everyday = concepts(read("concepts.tsv"), self.vocabulary)
        self.likely, self.quiet = likelihoods(read("classes.tsv"), self.vocabulary)
        taken = {term.key for term in everyday}
        self.terms = []
        for key, row, general, name, synonyms, parents in self.vocabulary.rows:
            if general == "1" or key in taken:
                continue
            weights = np.zeros(len(self.bias), np.float32)
            weights[list(self.vocabulary.below[key])] = 1
            group = "kinds" if row == "-" else "classes"
            self.terms.append(
                Term(key, name, group, synonyms.split("|"), weights, parents.split("|"))
            )
        self.terms += everyday
        self.matrix = np.stack([term.weights for term in self.terms])
        self.groups = np.array([GROUPS.index(term.group) for term in self.terms])
        self.calibration = tomllib.loads(read("model.toml"))["calibration"]

    def probabilities(self, embeddings: np.ndarray, temperature: float) -> np.ndarray:
        logits = (embeddings @ self.weight.T + self.bias) / temperature + np.log(self.likely)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)

    def evidence(self, embeddings: np.ndarray, temperature: float) -> np.ndarray:
        return np.clip(self.probabilities(embeddings, temperature) @ self.matrix.T, 0, 1)

    def confidences(self, embeddings: np.ndarray) -> np.ndarray:
        logits = log_odds(self.evidence(embeddings, self.calibration["temperature"]))
        lines = np.array([self.calibration[group] for group in GROUPS])[self.groups]
        return 1 / (1 + np.exp(-(lines[:, 0] * logits + lines[:, 1])))


def log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def _lines(text: str, file: str, header: str, columns: int):
    lines = text.splitlines()
    if header not in lines:
        raise ValueError(f"{file}: no header {header!r}")
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != columns:
            raise ValueError(f"{file}, line {number}: it has not {columns} columns")
        yield fields


def _weighted(member: str) -> tuple[str, float]:
    """`toilet seat 0.95`, or a name alone."""
    name, _, last = member.rpartition(" ")
    try:
        return (name, float(last)) if name else (member, 1.0)
    except ValueError:
        return member, 1.0
