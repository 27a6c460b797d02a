#!/usr/bin/env python3
"""Draws `notice.png`: a notice on a wall, slightly turned, for tests of text in pictures. Needs Pillow."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = (640, 420)
TIMES = 2
LINES = (
    ("TOWN MUSEUM", 58),
    ("Open daily from 9 to 17 h", 34),
    ("Rue du Pont 42", 34),
)


def notice() -> Image.Image:
    w, h = (side * TIMES for side in SIZE)
    image = Image.new("RGB", (w, h), (150, 140, 125))
    draw = ImageDraw.Draw(image)
    draw.rectangle((w * 0.08, h * 0.12, w * 0.92, h * 0.88), fill=(244, 242, 235))
    y = h * 0.26
    for text, size in LINES:
        font = ImageFont.load_default(size=size * TIMES)
        draw.text((w / 2, y), text, font=font, fill=(30, 40, 90), anchor="mm")
        y += h * 0.23
    turned = image.rotate(3, Image.Resampling.BICUBIC, fillcolor=(150, 140, 125))
    soft = turned.filter(ImageFilter.GaussianBlur(1))
    return soft.resize(SIZE, Image.Resampling.LANCZOS).quantize(16, dither=Image.Dither.NONE)


if __name__ == "__main__":
    notice().save(Path(__file__).with_name("notice.png"), optimize=True)
