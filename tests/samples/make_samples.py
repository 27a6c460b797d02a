#!/usr/bin/env python3
"""Makes the sample files beside it, each of at most 2 KB but one.

Needs Pillow, brotli and what make_heif_samples.py needs (pip), cjxl (libjxl-tools), tiffcp (libtiff-tools) and heif-enc (libheif-examples). All samples
but that one show one drawn picture of 24 by 16 pixels whose colours the tests compute in the same way.
"""
import pathlib
import subprocess
import tempfile

import brotli
from make_heif_samples import small_p3_profile
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 24, 16
HERE = pathlib.Path(__file__).parent
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'


def colour(x, y):
    return (x * 10, y * 15, (x + y) * 6)


def alpha(x):
    return x * 11


def run(*command):
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def large(path):
    """1280 by 960, for a file with a small picture beside the large one."""
    picture = Image.new("RGB", (1280, 960))
    picture.putdata([(x * 200 // 1280 + 20, y * 200 // 960 + 20, 120) for y in range(960) for x in range(1280)])
    draw = ImageDraw.Draw(picture)
    draw.ellipse((200, 150, 600, 550), fill=(240, 240, 60))
    draw.rectangle((700, 500, 1100, 900), fill=(30, 60, 200))
    picture.save(path)


def main():
    rgb = Image.new("RGB", (WIDTH, HEIGHT))
    rgb.putdata([colour(x, y) for y in range(HEIGHT) for x in range(WIDTH)])
    rgba = rgb.copy()
    rgba.putalpha(Image.new("L", (WIDTH, HEIGHT)))
    rgba.putdata([colour(x, y) + (alpha(x),) for y in range(HEIGHT) for x in range(WIDTH)])
    grey = Image.new("L", (WIDTH, HEIGHT))
    grey.putdata([x * 10 for y in range(HEIGHT) for x in range(WIDTH)])
    # Black where x + y is divisible by 3 or x is beyond 16.
    fax = Image.new("1", (WIDTH, HEIGHT))
    fax.putdata([0 if (x + y) % 3 == 0 or x > 16 else 255 for y in range(HEIGHT) for x in range(WIDTH)])

    rgb.save(HERE / "lzma.tif", compression="lzma")
    rgb.convert("YCbCr").save(HERE / "ycbcr_jpeg.tif", compression="jpeg", quality=95)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        large(folder / "large.png")
        run("heif-enc", "-t", "320", "-q", "30", folder / "large.png", "-o", HERE / "large_with_thumb.heic")
        fax.save(folder / "fax.tif")
        run("tiffcp", "-c", "g3:2d:fill", folder / "fax.tif", HERE / "fax_g3_2d.tif")
        run("tiffcp", "-c", "g3:1d", "-f", "lsb2msb", folder / "fax.tif", HERE / "fax_g3_1d.tif")
        fax.save(HERE / "fax_g4.tif", compression="group4")
        fax.save(HERE / "fax_rle.tif", compression="tiff_ccitt")

        for name, picture in [("rgb", rgb), ("rgba", rgba), ("grey", grey)]:
            picture.save(folder / f"{name}.png")
            run("cjxl", folder / f"{name}.png", HERE / f"{name}.jxl", "-d", "0", "-e", "7")
        run("cjxl", folder / "rgb.png", HERE / "lossy.jxl", "-d", "0.5")
        rgb.save(folder / "rgb.ppm")
        for name, space in [("p3", "RGB_D65_DCI_Rel_SRG"), ("pq", "RGB_D65_202_Rel_PeQ")]:
            run("cjxl", folder / "rgb.ppm", HERE / f"{name}.jxl", "-d", "0", "-x", f"color_space={space}")
        rgb.save(folder / "p3.png", icc_profile=small_p3_profile())
        run("cjxl", folder / "p3.png", HERE / "p3_profile.jxl", "-d", "0", "-e", "7")
        exif = Image.Exif()
        exif[0x0112] = 6  # a quarter to the right
        rgb.save(folder / "turned.jpg", quality=98, subsampling=0, exif=exif)
        run("cjxl", folder / "turned.jpg", HERE / "turned.jxl", "--lossless_jpeg=0", "-d", "1")
        rgb.save(folder / "film.gif", save_all=True, append_images=[grey.convert("RGB")], duration=100)
        run("cjxl", folder / "film.gif", HERE / "film.jxl", "-d", "0")

    (HERE / "xmp.br").write_bytes(brotli.compress(XMP))
    rgb.save(HERE / "rgb.jp2")
    rgba.save(HERE / "rgba.jp2")
    grey.save(HERE / "grey.j2k", num_resolutions=3)
    for sample in HERE.iterdir():
        assert sample.suffix == ".py" or sample.stat().st_size <= 2048, sample


main()
