"""What a term's evidence means, measured on photos of people's own lives.

    build.py --calibrate PHOTOS

`judged.tsv` says of each photo what is right to say of it and what is near enough not to annoy
(kin): judged by eye, before the fit, for every term with evidence of a tenth or more. Photos are
COCO's (train2017), by their ids; whoever has them in a folder can repeat this. Each group of terms
gets a logistic function of its log odds by maximum likelihood; kin counts half, since half of all
people would take it. The concepts' table and this fit have seen the same photos, so that both
flatter; SHRINK takes some of that back. The numbers in `recipe/manifest.py` were chosen by hand from
what this prints, near the fit at their temperature, so that each tenth of confidence that is shown
stays within eight points of its claim, also with a quarter of the photos left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

from . import preprocess
from .tagging import GROUPS, Tagger, log_odds

# Log odds taken off each constant: about what leaving a quarter of the photos out costs.
SHRINK = 0.4
TEMPERATURES = (1.0, 1.1, 1.2, 1.3)
LEAST = 0.1


def report(pack: Path, photos: Path) -> str:
    """The fit at several temperatures, and what the committed calibration says."""
    tagger = Tagger(pack)
    judged = read(pack / "judged.tsv", tagger)
    files = {int(p.stem): p for p in photos.glob("*.jpg") if p.stem.isdigit()}
    ids = [photo for photo in judged if photo in files]
    if not ids:
        raise ValueError(f"none of the judged photos is in {photos}")
    embeddings = embed(pack, [files[photo] for photo in ids])
    right = np.array([[verdict(judged[p], t) for t in tagger.terms] for p in ids])
    lines = [f"{len(ids)} photos, {len(tagger.terms)} terms"]
    for temperature in TEMPERATURES:
        evidence = tagger.evidence(embeddings, temperature)
        for at, group in enumerate(GROUPS):
            seen = (evidence >= LEAST) & (tagger.groups == at)[None]
            slope, constant, loss = fit(log_odds(evidence[seen]), right[seen])
            lines.append(
                f"temperature {temperature}: {group:8} [{slope:.2f}, {constant:.2f}] less {SHRINK}"
                f"   {seen.sum()} pairs, log loss {loss:.3f}"
            )
    confidences = tagger.confidences(embeddings)
    lines.append("as committed: confidence, what is right, right or kin, pairs")
    for low in np.arange(1, 10) / 10:
        seen = (confidences >= low) & (confidences < low + 0.1)
        lines.append(
            f"  {confidences[seen].mean():.2f}  {(right[seen] == 1).mean():.2f}"
            f"  {(right[seen] > 0).mean():.2f}  {seen.sum()}"
        )
    return "\n".join(lines)


def fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Slope, constant and log loss of the likeliest logistic function (Newton's method)."""
    weights = np.zeros(2)
    design = np.stack([x, np.ones_like(x)], axis=1)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-6 * np.eye(2)
        weights += np.linalg.solve(hessian, design.T @ (y - p))
    p = np.clip(1 / (1 + np.exp(-design @ weights)), 1e-9, 1 - 1e-9)
    return weights[0], weights[1], -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def embed(pack: Path, files: list[Path]) -> np.ndarray:
    session = onnxruntime.InferenceSession((pack / "encoder.onnx").read_bytes())
    vectors = []
    for file in files:
        with Image.open(file) as photo:
            upright = ImageOps.exif_transpose(photo)
            tensor = preprocess.tensor(preprocess.centre_crop(upright))
        vectors.append(session.run(None, {"image": tensor[None]})[0][0])
    return np.stack(vectors)


def read(path: Path, tagger: Tagger) -> dict[int, tuple[set[str], set[str]]]:
    """Photo → the names that are right, and those that are kin; every kind above them too."""
    above = _above(tagger)
    judged = {}
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            photo, *columns = line.split("\t")
            words = [set(filter(None, column.lower().split("|"))) for column in columns]
            judged[int(photo)] = tuple(
                w | {a for name in w for a in above.get(name, ())} for w in words
            )
    return judged


def verdict(judged: tuple[set[str], set[str]], term) -> float:
    right, kin = judged
    name = term.name.lower()
    return 1.0 if name in right else 0.5 if name in kin else 0.0


def _above(tagger: Tagger) -> dict[str, set[str]]:
    """Name → names of the kinds above it."""
    rows = {key: (name.lower(), above) for key, _r, _g, name, _s, above in tagger.vocabulary.rows}
    found = {}
    for key, (name, _) in rows.items():
        todo, seen = [key], set()
        while todo:
            for parent in filter(None, rows[todo.pop()][1].split("|")):
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        found[name] = {rows[parent][0] for parent in seen}
    return found
