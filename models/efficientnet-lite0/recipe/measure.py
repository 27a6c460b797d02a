"""Accuracy and speed of the pack on labelled photos.

The folder has `labels.tsv` with lines `file`, class key, name, separated by tabs. A term counts as
true of a photo if the photo's class is below it in WordNet.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from . import preprocess
from .tagging import Tagger

SHOWN = (
    "dog", "bird", "cat", "vehicle", "animal", "snake", "fish", "monkey", "insect", "furniture",
    "clothing", "fruit", "musical instrument", "boat", "car", "building",
)  # fmt: skip
CUTOFFS = (0.3, 0.6, 0.8)
# Confidence from which photond stores a tag.
STORED = 0.1


def report(pack: Path, photos: Path) -> str:
    """The whole measurement as text."""
    tagger = Tagger(pack)
    row_of = {key: int(row) for key, row, *_ in tagger.vocabulary.rows if row != "-"}
    labels = [line.split("\t") for line in (photos / "labels.tsv").read_text().splitlines()]
    truth = np.array([row_of[key] for _file, key, *_name in labels])
    pictures = (Image.open(photos / file) for file, *_ in labels)
    inputs = np.stack([preprocess.tensor(preprocess.centre_crop(p)) for p in pictures])

    model = (pack / "encoder.onnx").read_bytes()
    session = _session(model, threads=2)
    embeddings = np.concatenate(
        [session.run(None, {"image": inputs[i : i + 16]})[0] for i in range(0, len(inputs), 16)]
    )
    single = np.concatenate([session.run(None, {"image": x[None]})[0] for x in inputs[:64]])
    logits = embeddings @ tagger.weight.T + tagger.bias
    top5 = np.argsort(-logits, axis=1)[:, :5]
    confidences = tagger.confidences(embeddings)
    lines = [
        f"{len(truth)} photos: top-1 {(top5[:, 0] == truth).mean():.3f}, "
        f"top-5 {(top5 == truth[:, None]).any(axis=1).mean():.3f}",
        f"with the class, or the kind right above it, among the tags: "
        f"{_named(tagger, confidences, [key for _file, key, *_ in labels]):.3f}",
        f"batches of 16 against single runs: largest difference "
        f"{np.abs(embeddings[:64] - single).max():g}",
        "",
        *_terms(tagger, confidences, truth),
        "",
        *_speed(model, inputs),
    ]
    return "\n".join(lines)


def _named(tagger: Tagger, confidences: np.ndarray, labels: list[str]) -> float:
    parents = {key: above.split("|") for key, *_, above in tagger.vocabulary.rows}
    column = {term.key: at for at, term in enumerate(tagger.terms)}
    hits = 0
    for row, label in zip(confidences, labels, strict=True):
        near = [column[key] for key in (label, *parents[label]) if key in column]
        hits += any(row[at] >= STORED for at in near)
    return hits / len(labels)


def _terms(tagger: Tagger, confidences: np.ndarray, truth: np.ndarray) -> list[str]:
    """Precision and recall of some terms at each cutoff."""
    cutoffs = ", ".join(map(str, CUTOFFS))
    lines = [f"term                  photos  precision/recall at {cutoffs}"]
    for at, term in enumerate(tagger.terms):
        # What a concept takes in beside its own kind is in no label.
        below = tagger.vocabulary.below.get(term.key, set())
        if term.name in SHOWN and below:
            present = np.isin(truth, sorted(below))
            rates = (_rates(confidences[:, at] >= c, present) for c in CUTOFFS)
            cells = "  ".join(f"{precision:.3f}/{recall:.3f}" for precision, recall in rates)
            lines.append(f"{term.name:20}  {present.sum():6}  {cells}")
    return lines


def _rates(hits: np.ndarray, present: np.ndarray) -> tuple[float, float]:
    both = (hits & present).sum()
    return (both / hits.sum() if hits.any() else 1.0, both / max(1, present.sum()))


def _speed(model: bytes, inputs: np.ndarray) -> list[str]:
    lines = ["threads  batch  ms a photo (median)"]
    for threads in (1, 2):
        session = _session(model, threads)
        for batch in (1, 4, 8, 16):
            times = []
            for start in range(0, min(len(inputs), 160) - batch, batch):
                before = time.perf_counter()
                session.run(None, {"image": inputs[start : start + batch]})
                times.append((time.perf_counter() - before) / batch)
            lines.append(f"{threads:7}  {batch:5}  {1000 * np.median(times):.2f}")
    return lines


def _session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
