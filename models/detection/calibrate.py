"""What the detectors' scores mean, measured on labelled photos of people's own lives.

    nanodet/build.py --calibrate PHOTOS LABELS

LABELS is JSON: photo → class → the share of the picture that its boxes cover. Somebody counts as
there from `VISIBLE` on, a thing from `SEARCHED` on: a bottle of a few pixels is nothing its owner would say of
the photo. The evidence for a thing is the log odds of its box's score; for people, that of the best person
box and of the best face, less for a box smaller than `area`. A logistic function of it is fitted by
maximum likelihood, and everything that is printed beside the fit is of photos that were left out.
The numbers in `steps/manifest.py` are the fit less SHRINK.
"""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from recipe.calibrate import fit

from . import boxes

SHRINK = 0.4
RIDGE = 0.1
VISIBLE = 0.01
SEARCHED = 0.05
FOLDS = 16
CUTOFFS = (0.5, 0.6, 0.7, 0.8)


def report(pack: Path, photos: Path, labels: Path) -> str:
    """Fits, and precision and recall by cutoff."""
    facts = tomllib.loads((pack / "model.toml").read_text("utf-8"))
    names = class_names(pack)
    truth = {
        photo: {names.index(name): share for name, share in there.items() if name in names}
        for photo, there in json.loads(labels.read_text("utf-8")).items()
    }
    found = {side: _found(folder, photos, truth) for side, folder in _packs(pack).items()}
    calibration, people = facts["calibration"], facts["people"]
    things, right, fold = [], [], []
    for at, (photo, there) in enumerate(truth.items()):
        for kind in range(1, len(names)):
            best = [b for b in found["things"][photo] if b.kind == kind]
            if best:
                things.append(_evidence(best, 1.0, 0.0))
                right.append(there.get(kind, 0) >= SEARCHED)
                fold.append(at % FOLDS)
    lines = [f"{len(truth)} photos, {len(things)} pairs of photo and thing"]
    lines += _lines(
        "things", np.array(things)[:, None], np.array(right), np.array(fold), calibration["alone"]
    )
    areas = (calibration["area"], people["face_area"])
    pairs = []
    for photo in truth:
        both = ([b for b in found["things"][photo] if b.kind == 0], found["faces"][photo])
        pairs.append(
            [
                max(least, _evidence(seen, area, calibration["per_area"])) if seen else least
                for seen, area, least in zip(both, areas, people["least"], strict=True)
            ]
        )
    present = np.array([there.get(0, 0) >= VISIBLE for there in truth.values()])
    fold = np.arange(len(truth)) % FOLDS
    committed = [*people["weights"], people["constant"]]
    lines += _lines("people", np.array(pairs), present, fold, committed)
    return "\n".join(lines)


def class_names(pack: Path) -> list[str]:
    lines = (pack / "classes.tsv").read_text("utf-8").splitlines()
    return [line.split("\t")[0] for line in lines if not line.startswith("#")]


def _packs(pack: Path) -> dict[str, Path]:
    return {"things": pack, "faces": pack.parent / "centerface"}


def _found(pack: Path, photos: Path, names) -> dict[str, list[boxes.Box]]:
    run = boxes.session((pack / "detector.onnx").read_bytes(), threads=2)
    rules, facts = boxes.rules(pack), tomllib.loads((pack / "model.toml").read_text("utf-8"))
    found = {}
    for name in names:
        with Image.open(photos / name) as photo:
            upright = ImageOps.exif_transpose(photo).convert("RGB")
        found[name] = boxes.detect(run, upright, facts["image"]["size"], rules)
    return found


def _evidence(seen: list[boxes.Box], area: float, per_area: float) -> float:
    """The best box's log odds, less for one that is smaller than `area`."""
    return max(
        math.log(b.score / (1 - b.score)) + per_area * min(0.0, math.log(b.area / area))
        for b in seen
    )


def _lines(
    name: str, x: np.ndarray, y: np.ndarray, fold: np.ndarray, committed: list[float]
) -> list[str]:
    left_out = np.zeros(len(y))
    for at in np.unique(fold):
        left_out[fold == at] = _apply(_fit(x[fold != at], y[fold != at]), x[fold == at])
    lines = []
    for way, confidence in (
        (f"{_worded(_fit(x, y))} less {SHRINK}, of photos left out", left_out),
        (f"{_worded(committed)}, as committed", _apply(np.array(committed), x)),
    ):
        lines.append(f"{name}: {way}")
        for cutoff in CUTOFFS:
            hits = confidence >= cutoff
            precision = y[hits].mean() if hits.any() else 1.0
            lines.append(
                f"  from {cutoff}: precision {precision:.3f}, recall {hits[y].mean():.3f}, "
                f"{hits.sum()} of {len(y)}"
            )
        for low in np.arange(1, 10) / 10:
            seen = (confidence >= low) & (confidence < low + 0.1)
            if seen.any():
                lines.append(
                    f"  {confidence[seen].mean():.2f} is right {y[seen].mean():.2f}  {seen.sum()}"
                )
    return lines


def _worded(weights) -> str:
    return f"weights {', '.join(f'{w:.2f}' for w in weights[:-1])}, constant {weights[-1]:.2f}"


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights and constant of the likeliest logistic function (Newton's method).

    People's two kinds of evidence say nearly the same; RIDGE keeps one from taking all.
    """
    if x.shape[1] == 1:
        return np.array(fit(x[:, 0], y)[:2])
    design, weights = np.c_[x, np.ones(len(x))], np.zeros(x.shape[1] + 1)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(hessian, design.T @ (y - p) - RIDGE * weights)
    return weights


def _apply(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(np.c_[x, np.ones(len(x))] @ weights)))
