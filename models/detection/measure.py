"""A detector's int8 graph against the float one, and its speed, on a folder of JPEGs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from . import boxes
from .letterbox import letterbox

CUTOFFS = (0.3, 0.4, 0.5, 0.6)
SAME = 0.5
SIZES = (320, 416, 480, 640)


def report(pack: Path, reference: bytes, photos: Path, size: int) -> str:
    pictures = [_upright(file) for file in sorted(photos.glob("*.jp*g"))]
    if not pictures:
        raise ValueError(f"{photos} has no JPEGs")
    committed = (pack / "detector.onnx").read_bytes()
    rules = boxes.rules(pack)
    found = [
        [boxes.detect(run, picture, size, rules) for picture in pictures]
        for run in map(boxes.session, (reference, committed))
    ]
    lines = [f"{len(pictures)} photos, longer side {size}"]
    for cutoff in CUTOFFS:
        lines.append(_agreement(*found, cutoff))
    lines.append("ms a photo of 4:3, least and median of 25: float, int8")
    for threads in (1, 2):
        for side in SIZES:
            times = [_time(model, side, threads) for model in (reference, committed)]
            cells = ", ".join(f"{least:.1f} {median:.1f}" for least, median in times)
            lines.append(f"  {threads} threads, {side}: {cells}")
    return "\n".join(lines)


def _agreement(floats, ints, cutoff: float) -> str:
    """How many of the float graph's boxes from the cutoff on the int8 graph has too, and back."""
    sure = [[[b for b in f if b.score >= cutoff] for f in found] for found in (floats, ints)]
    counts = [sum(map(len, found)) for found in sure]
    again = [
        sum(_has(box, there) for here, there in zip(one, all_of, strict=True) for box in here)
        for one, all_of in ((sure[0], sure[1]), (sure[1], sure[0]))
    ]
    return (
        f"  from {cutoff}: {counts[0]} boxes in float, {again[0] / max(1, counts[0]):.3f} of them "
        f"in int8; {counts[1]} in int8, {again[1] / max(1, counts[1]):.3f} of them in float"
    )


def _has(box: boxes.Box, others: list[boxes.Box]) -> bool:
    return any(o.kind == box.kind and boxes.overlap(box, o) >= SAME for o in others)


def _time(model: bytes, side: int, threads: int) -> tuple[float, float]:
    run = boxes.session(model, threads)
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (side * 3 // 4, side, 3), np.uint8))
    tensor = letterbox(noise, side).tensor[None]
    times = []
    for _ in range(28):
        before = time.perf_counter()
        run.run(["scores", "boxes"], {"image": tensor})
        times.append(time.perf_counter() - before)
    times = times[3:]
    return 1000 * min(times), 1000 * float(np.median(times))


def _upright(file: Path) -> Image.Image:
    with Image.open(file) as photo:
        return ImageOps.exif_transpose(photo).convert("RGB")
