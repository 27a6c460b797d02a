"""Accuracy and speed of the pack on labelled photos.

The folder has `labels.tsv` with lines `file`, class key, name, separated by tabs. A
term's probability is the sum over the classes below it; a term counts as true of a
photo if the photo's class is below it in WordNet.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from . import head, preprocess

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
SHOWN = (
    "dog", "bird", "cat", "vehicle", "animal", "snake", "fish", "monkey", "insect", "furniture",
    "clothing", "fruit", "musical instrument", "boat", "car", "building",
)  # fmt: skip
MIN_PHOTOS = 6


def report(pack: Path, photos: Path) -> str:
    """The whole measurement as text."""
    terms, leaves_below = _vocabulary(pack)
    aliases = _aliases(pack, leaves_below)
    row_of = {key: row for key, (row, *_rest) in terms.items() if row is not None}
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
    weight, bias = head.read_label_bank((pack / "head.bin").read_bytes())
    logits = embeddings @ weight.T + bias
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = exponents / exponents.sum(axis=1, keepdims=True)
    top5 = np.argsort(-logits, axis=1)[:, :5]

    lines = [
        f"{len(truth)} photos: top-1 {(top5[:, 0] == truth).mean():.3f}, "
        f"top-5 {(top5 == truth[:, None]).any(axis=1).mean():.3f}",
        f"batches of 16 against single runs: largest difference "
        f"{np.abs(embeddings[:64] - single).max():g}",
        "",
    ]
    lines += _term_table(terms, leaves_below, aliases, chances, truth)
    lines += ["", *_speed(model, inputs)]
    return "\n".join(lines)


def _term_table(terms, leaves_below, aliases, chances, truth) -> list[str]:
    """Precision and recall of some terms, and F1 of all, at each threshold."""
    scored = {}
    for key, rows in leaves_below.items():
        present = np.isin(truth, rows)
        if terms[key][0] is None and MIN_PHOTOS <= present.sum() < len(truth):
            scored[key] = (chances[:, rows].sum(axis=1), present)
    by_name = {terms[key][2]: scored[key] for key in scored}
    lines = ["term                  photos  precision/recall at 0.2, 0.3, 0.5"]
    for name in SHOWN:
        if name in by_name:
            chance, present = by_name[name]
            rates = (_rates(chance > t, present) for t in (0.2, 0.3, 0.5))
            cells = "  ".join(f"{precision:.3f}/{recall:.3f}" for precision, recall in rates)
            lines.append(f"{name:20}  {present.sum():6}  {cells}")
    groups = {
        "all": [scored[k] for k in scored],
        "shown": [scored[k] for k in scored if not terms[k][1]],
        "aliases": [
            (chances[:, rows].sum(axis=1), np.isin(truth, rows))
            for rows in aliases.values()
            if np.isin(truth, rows).sum() >= MIN_PHOTOS
        ],
    }
    for group, members in groups.items():
        lines += [
            "",
            f"{group}: {len(members)} terms with {MIN_PHOTOS} photos or more",
            "threshold  macro precision  recall  F1     micro precision  recall  F1",
        ]
        for threshold in THRESHOLDS:
            rates = np.array([_rates(c > threshold, p) for c, p in members])
            f1 = np.array([_f1(*r) for r in rates])
            hits = np.concatenate([c > threshold for c, _ in members])
            present = np.concatenate([p for _, p in members])
            micro = _rates(hits, present)
            lines.append(
                f"{threshold:9.2f}  {rates[:, 0].mean():15.3f}  {rates[:, 1].mean():6.3f}  "
                f"{f1.mean():.3f}  {micro[0]:15.3f}  {micro[1]:6.3f}  {_f1(*micro):.3f}"
            )
    return lines


def _rates(hits, present) -> tuple[float, float]:
    both = (hits & present).sum()
    return (both / hits.sum() if hits.any() else 1.0, both / present.sum())


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _speed(model: bytes, inputs) -> list[str]:
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


def _vocabulary(pack: Path):
    """Key → (row or None, general, name), and key → rows of the leaves below."""
    terms, parents = {}, {}
    for line in (pack / "vocabulary.tsv").read_text("utf-8").splitlines()[1:]:
        key, row, general, name, _synonyms, above = line.split("\t")
        terms[key] = (None if row == "-" else int(row), general == "1", name)
        parents[key] = [p for p in above.split("|") if p]
    below = defaultdict(set)
    for key, (row, *_rest) in terms.items():
        if row is None:
            continue
        todo = [key]
        while todo:
            term = todo.pop()
            if row not in below[term]:
                below[term].add(row)
                todo += parents[term]
    return terms, {key: sorted(rows) for key, rows in below.items()}


def _aliases(pack: Path, leaves_below) -> dict[str, list[int]]:
    aliases = {}
    for line in (pack / "aliases.tsv").read_text("utf-8").splitlines()[1:]:
        _key, name, _synonyms, members = line.split("\t")
        aliases[name] = sorted({row for key in members.split("|") for row in leaves_below[key]})
    return aliases
