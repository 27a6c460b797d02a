#!/usr/bin/env python3
"""Draws `scene.png`: a stop sign and a person, for the detectors' tests. Needs Pillow.

What the reference (`models/detection/boxes.py`) finds in it stands in `src/model/detector_tests.rs`.
"""

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = (480, 360)
TIMES = 3


def scene() -> Image.Image:
    w, h = (side * TIMES for side in SIZE)
    image = Image.new("RGB", (w, h), (120, 170, 220))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, h * 0.72, w, h), fill=(90, 110, 70))
    sign(draw, w * 0.24, h * 0.36, h * 0.24, h * 0.9)
    person(draw, w * 0.68, h * 0.36, h * 0.13, h)
    # Without it the face is a drawing's, which is none.
    blurred = image.filter(ImageFilter.GaussianBlur(TIMES * TIMES))
    return blurred.resize(SIZE, Image.Resampling.LANCZOS).quantize(64, dither=Image.Dither.NONE)


def sign(draw, x, y, radius, ground) -> None:
    draw.rectangle((x - 4, y, x + 4, ground), fill=(130, 130, 130))
    for scale, fill in ((1, (250, 250, 250)), (0.93, (190, 20, 30))):
        turns = [math.pi / 8 + i * math.pi / 4 for i in range(8)]
        corners = [
            (x + radius * scale * math.cos(t), y + radius * scale * math.sin(t)) for t in turns
        ]
        draw.polygon(corners, fill=fill)
    font = ImageFont.load_default(size=int(radius * 0.62))
    draw.text((x, y), "STOP", font=font, fill=(255, 255, 255), anchor="mm")


def person(draw, x, y, s, ground) -> None:
    def ellipse(left, top, right, bottom, fill):
        draw.ellipse((x + s * left, y + s * top, x + s * right, y + s * bottom), fill=fill)

    ellipse(-1.05, -1.45, 1.05, 0.9, (60, 40, 25))
    shoulders = [(-1.6, 1.9), (-0.4, 1.45), (0.4, 1.45), (1.6, 1.9)]
    body = [(x + s * a, y + s * b) for a, b in shoulders]
    draw.polygon([(x - s * 2, ground), *body, (x + s * 2, ground)], fill=(40, 60, 120))
    draw.rectangle((x - s * 0.33, y + s * 0.8, x + s * 0.33, y + s * 1.6), fill=(205, 160, 130))
    ellipse(-0.85, -1.1, 0.85, 1.25, (224, 180, 150))
    for eye in (-0.36, 0.36):
        ellipse(eye - 0.2, -0.18, eye + 0.2, 0.02, (245, 245, 245))
        ellipse(eye - 0.1, -0.18, eye + 0.1, 0.02, (40, 30, 20))
        brow = (x + s * (eye - 0.25), y - s * 0.34, x + s * (eye + 0.25), y - s * 0.36)
        draw.line(brow, fill=(60, 40, 25), width=3)
    nose = [(-0.04, 0.1), (0.12, 0.45), (-0.14, 0.45)]
    draw.polygon([(x + s * a, y + s * b) for a, b in nose], fill=(205, 155, 128))
    ellipse(-0.34, 0.64, 0.34, 0.84, (170, 70, 70))


if __name__ == "__main__":
    scene().save(Path(__file__).resolve().parent / "scene.png", optimize=True)
