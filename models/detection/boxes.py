"""From a detector's outputs to boxes: the reference for what photond does in Rust."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from PIL import Image

from .letterbox import letterbox


class Box(NamedTuple):
    kind: int
    score: float
    # Shares of the upright picture's width and height, cut off at its edges.
    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


class Rules(NamedTuple):
    least: float
    overlap: float
    most: int


def rules(pack: Path) -> Rules:
    return Rules(**tomllib.loads((pack / "model.toml").read_text("utf-8"))["boxes"])


def session(model: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def detect(run: onnxruntime.InferenceSession, photo: Image.Image, size: int, by: Rules):
    """The boxes of one upright photo, the surest first."""
    boxed = letterbox(photo, size)
    scores, edges = run.run(["scores", "boxes"], {"image": boxed.tensor[None]})
    bounds = np.array([boxed.width, boxed.height] * 2, np.float32)
    found: list[Box] = []
    for kind, row in enumerate(scores[0]):
        places = np.flatnonzero(row >= by.least)
        kept: list[Box] = []
        for place in places[np.argsort(-row[places], kind="stable")]:
            sides = np.clip(edges[0][:, place] / bounds, 0, 1)
            box = Box(kind, float(row[place]), *map(float, sides))
            if box.area > 0 and all(overlap(box, other) <= by.overlap for other in kept):
                kept.append(box)
        found += kept
    return sorted(found, key=lambda box: -box.score)[: by.most]


def overlap(one: Box, other: Box) -> float:
    """The area both have as a share of the area either has."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    both = max(0.0, width) * max(0.0, height)
    return both / (one.area + other.area - both) if both else 0.0
