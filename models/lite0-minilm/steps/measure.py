"""How well the pack's vectors rank labelled photos.

Queries are terms over the classifier's classes that hold for 6 to 80 of the photos, of
three sorts: WordNet kinds by their first name (the class texts have these words), the
same kinds by their second name, and everyday words of the classifier's concepts that name
no kind (the class texts have neither). The measure is mean average precision.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from recipe import head, preprocess

from .class_texts import WordNet
from .class_vectors import read
from .manifest import TOP
from .text_encoder import TextEncoder, unit

FEWEST, MOST = 6, 80
FEWEST_OF_CONCEPT = 3
# Share of a class's photos that a concept is true of, from which the class belongs to it.
LIKELY = 0.5
Queries = list[tuple[str, np.ndarray]]


def report(
    vectors: bytes, encode: TextEncoder, wordnet: WordNet, classifier: Path, photos: Path
) -> str:
    """The whole measurement as text; `classifier` is the pack whose classes these are."""
    lines = [line.split("\t") for line in (photos / "labels.tsv").read_text().splitlines()]
    session = onnxruntime.InferenceSession((classifier / "encoder.onnx").read_bytes())
    weight, bias = head.read_label_bank((classifier / "head.bin").read_bytes())
    chances = []
    for file, *_ in lines:
        with Image.open(photos / file) as photo:
            tensor = preprocess.tensor(preprocess.centre_crop(photo))
        (embedding,) = session.run(None, {"image": tensor[None]})
        logits = weight @ embedding[0] + bias
        chances.append(np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum())
    centre, classes = read(vectors)
    pictures = unit(np.stack([_picture(chance, classes) for chance in chances]))
    kinds, second_names, concepts = _queries(
        wordnet, classifier, [key for _file, key, *_ in lines]
    )
    results = [f"{len(pictures)} photos"]
    for title, queries in (
        ("kinds by their first name", kinds),
        ("kinds by their second name", second_names),
        ("everyday words", concepts),
    ):
        texts = unit(encode(tuple(text for text, _ in queries)) - centre)
        scores = [
            _average_precision(pictures @ text, present)
            for text, (_, present) in zip(texts, queries, strict=True)
        ]
        chance = np.mean([present.mean() for _, present in queries])
        results.append(
            f"{title:28} {len(queries):3} queries  mean average precision "
            f"{np.mean(scores):.3f} (chance about {chance:.2f})"
        )
    return "\n".join(results)


def _picture(chances: np.ndarray, classes: np.ndarray) -> np.ndarray:
    likeliest = np.argsort(-chances, kind="stable")[:TOP]
    return chances[likeliest] @ classes[likeliest]


def _average_precision(scores: np.ndarray, present: np.ndarray) -> float:
    ranked = present[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean())


def _queries(
    wordnet: WordNet, classifier: Path, labels: list[str]
) -> tuple[Queries, Queries, Queries]:
    rows = [
        line.split("\t") for line in (classifier / "vocabulary.tsv").read_text().splitlines()[1:]
    ]
    parents = {row[0]: [p for p in row[5].split("|") if p] for row in rows}
    above = {key: _ancestors(parents, key) for key in set(labels)}
    inner = [row[0] for row in rows if row[1] == "-"]
    taken = {wordnet[key].lemmas[0].lower() for key in inner}

    kinds, second_names = [], []
    for key in inner:
        present = np.array([key in above[label] for label in labels])
        if FEWEST <= present.sum() <= MOST:
            names = wordnet[key].lemmas
            kinds.append((names[0], present))
            second_names += [(n, present) for n in names[1:2] if n.lower() not in taken]
    keys = {row[3]: row[0] for row in rows}
    concepts = []
    for line in (classifier / "concepts.tsv").read_text().splitlines():
        if line.startswith("#"):
            continue
        _key, name, _synonyms, _kind, members = line.split("\t")
        shares = [re.fullmatch(r"(.+?)(?: ([01]|0?\.\d+))?", m) for m in members.split("|")]
        belongs = {keys.get(m[1]) for m in shares if m and float(m[2] or 1) >= LIKELY}
        present = np.array([bool(belongs & above[label]) for label in labels])
        if FEWEST_OF_CONCEPT <= present.sum() <= MOST and not {name, name.rstrip("s")} & taken:
            concepts.append((name, present))
    return kinds, second_names, concepts


def _ancestors(parents: dict[str, list[str]], key: str) -> set[str]:
    seen, todo = {key}, [key]
    while todo:
        for parent in parents[todo.pop()]:
            if parent not in seen:
                seen.add(parent)
                todo.append(parent)
    return seen
