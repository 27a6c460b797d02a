#!/usr/bin/env python3
"""Makes the small HEIC and AVIF files in data/ that the unit tests of the `heif` module read.

Needs pillow-heif, Pillow and numpy (from pip) and avifenc (Debian: libavif-bin). The pictures are drawn here,
coded by those, taken out of their files and put into containers that this script writes itself, so that every
way of turning, tiling and nesting can be had. Run it in this folder; the files are committed.

Each picture has four patches: red and green above, blue and grey below. The tests look at their middles.
"""

import io
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

DATA = Path(__file__).parent / "data"
RED, GREEN, BLUE, GREY = (220, 40, 40), (40, 200, 60), (50, 70, 210), (190, 190, 190)


def patches(width, height, colours=(RED, GREEN, BLUE, GREY)):
    picture = np.zeros((height, width, len(colours[0])), np.uint8)
    middle = (slice(0, height // 2), slice(height // 2, height)), (slice(0, width // 2), slice(width // 2, width))
    for index, colour in enumerate(colours):
        picture[middle[0][index // 2], middle[1][index % 2]] = colour
    return picture


# Boxes.


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind, version, flags, *parts):
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def boxes(data):
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def find(data, *path):
    for kind in path:
        data = next(body for found, body in boxes(data) if found == kind)
        data = data[4:] if kind == b"meta" else data
    return data


def coded(file, config):
    """The decoder's set-up and the data of the only picture in a file that an encoder made."""
    properties = find(file, b"meta", b"iprp", b"ipco")
    set_up = next(body for kind, body in boxes(properties) if kind == config)
    media = find(file, b"mdat")
    iloc = find(file, b"meta", b"iloc")
    version, sizes, more = iloc[0], iloc[4], iloc[5]
    at = 6 + (2 if version < 2 else 4) + (2 if version < 2 else 4) + (2 if version else 0) + 2
    at += (more >> 4) + 2 + (more & 15 if version else 0)
    offset = int.from_bytes(iloc[6 + 2 + 2 + (2 if version else 0) + 2 :][: more >> 4] or b"\0", "big")
    offset += int.from_bytes(iloc[at : at + (sizes >> 4)], "big")
    length = int.from_bytes(iloc[at + (sizes >> 4) : at + (sizes >> 4) + (sizes & 15)], "big")
    assert media, "no data"
    return box(config, set_up), file[offset : offset + length]


def hevc(picture, depth=8, chroma=420, quality=90):
    """An HEVC picture in full range with BT.601's matrix."""
    out = io.BytesIO()
    if depth > 8:
        wide = (picture.astype(np.uint16) * 257).astype("<u2")
        modes = {1: "I;16", 3: "RGB;16"}
        channels = 1 if wide.ndim == 2 else wide.shape[2]
        size = (wide.shape[1], wide.shape[0])
        pillow_heif.options.SAVE_HDR_TO_12_BIT = depth == 12
        still = pillow_heif.from_bytes(modes[channels], size, wide.tobytes())
        still.save(out, quality=quality, chroma=chroma, format="HEIF")
    else:
        mode = "L" if picture.ndim == 2 else "RGB"
        still = pillow_heif.from_bytes(mode, (picture.shape[1], picture.shape[0]), picture.tobytes())
        still.save(out, quality=quality, chroma=chroma, format="HEIF")
    return coded(out.getvalue(), b"hvcC")


def av1(picture, *options):
    """An AV1 picture without alpha, as avifenc codes it."""
    with tempfile.TemporaryDirectory() as folder:
        png, avif = Path(folder) / "a.png", Path(folder) / "a.avif"
        Image.fromarray(picture).save(png)
        options = ["-j", "1", "-s", "6", "--min", "8", "--max", "12", *options]
        subprocess.run(["avifenc", *options, png, avif], check=True, stdout=subprocess.DEVNULL)
        return coded(avif.read_bytes(), b"av1C")


def ispe(width, height):
    return full(b"ispe", 0, 0, struct.pack(">II", width, height))


def nclx(primaries, transfer, matrix, full_range):
    return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, matrix, 128 if full_range else 0))


SRGB = nclx(1, 13, 6, True)
ALPHA = full(b"auxC", 0, 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")


def irot(quarters):
    return box(b"irot", bytes([quarters]))


def imir(axis):
    return box(b"imir", bytes([axis]))


def clap(width, height, right, below):
    return box(b"clap", struct.pack(">IIIIiIiI", width, 1, height, 1, right, 2, below, 2))


class Writer:
    """Puts items into a file."""

    def __init__(self):
        self.items, self.references = [], []

    def add(self, kind, data, properties=(), idat=False, content_type=b""):
        self.items.append((kind, data, list(properties), idat, content_type))
        return len(self.items)

    def refer(self, kind, source, *targets):
        ids = struct.pack(f">HH{len(targets)}H", source, len(targets), *targets)
        self.references.append(box(kind, ids))

    def file(self, brand, primary):
        infos, kept, associations, locations, idat, media = [], [], [], [], b"", b""
        for number, (kind, data, properties, in_idat, content_type) in enumerate(self.items, 1):
            text = b"\0" + (content_type + b"\0" if content_type else b"")
            infos.append(full(b"infe", 2, 0, struct.pack(">HH4s", number, 0, kind), text))
            for one in properties:
                if one not in kept:
                    kept.append(one)
            indices = bytes(128 | kept.index(one) + 1 for one in properties)
            associations.append(struct.pack(">HB", number, len(indices)) + indices)
            locations.append((number, in_idat, len(idat if in_idat else media), len(data)))
            if in_idat:
                idat += data
            else:
                media += data

        def meta(start):
            iloc = struct.pack(">BBH", 0x44, 0, len(locations))
            for number, in_idat, offset, length in locations:
                offset += 0 if in_idat else start
                iloc += struct.pack(">HHHHII", number, 1 if in_idat else 0, 0, 1, offset, length)
            parts = [
                full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
                full(b"pitm", 0, 0, struct.pack(">H", primary)),
                full(b"iinf", 0, 0, struct.pack(">H", len(infos)), *infos),
                full(b"iloc", 1, 0, iloc),
                box(
                    b"iprp",
                    box(b"ipco", *kept),
                    full(b"ipma", 0, 0, struct.pack(">I", len(associations)), *associations),
                ),
            ]
            if self.references:
                parts.append(full(b"iref", 0, 0, *self.references))
            if idat:
                parts.append(box(b"idat", idat))
            return full(b"meta", 0, 0, *parts)

        head = box(b"ftyp", brand, bytes(4), b"mif1", brand)
        start = len(head) + len(meta(0)) + 8
        return head + meta(start) + box(b"mdat", media)


def tiff(orientation):
    """EXIF that says how the camera was held, and when (2021-03-04 05:06:07)."""
    date = b"2021:03:04 05:06:07\0"
    ifd = struct.pack(">H", 2)
    ifd += struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    ifd += struct.pack(">HHII", 0x0132, 2, len(date), 8 + 2 + 24 + 4)
    return b"MM\0*" + struct.pack(">I", 8) + ifd + bytes(4) + date


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'


def save(name, data):
    assert len(data) <= 2048, (name, len(data))
    (DATA / name).write_bytes(data)
    print(f"{name}: {len(data)} bytes")


def simple(name, brand, kind, picture, size, *properties):
    writer = Writer()
    config, data = picture
    writer.add(kind, data, [ispe(*size), config, *properties])
    save(name, writer.file(brand, 1))


def rotated_with_metadata():
    """8 bit, turned a quarter to the left, with EXIF (that says otherwise), XMP and a thumbnail."""
    writer = Writer()
    config, data = hevc(patches(64, 48))
    picture = writer.add(b"hvc1", data, [ispe(64, 48), config, SRGB, irot(1)])
    config, data = hevc(patches(32, 24), quality=50)
    small = writer.add(b"hvc1", data, [ispe(32, 24), config, SRGB, irot(1)])
    exif = writer.add(b"Exif", struct.pack(">I", 6) + b"Exif\0\0" + tiff(3))
    xmp = writer.add(b"mime", XMP, content_type=b"application/rdf+xml")
    writer.refer(b"thmb", small, picture)
    writer.refer(b"cdsc", exif, picture)
    writer.refer(b"cdsc", xmp, picture)
    save("rotated_exif_xmp_thumb.heic", writer.file(b"heic", picture))


def grid_with_alpha():
    """Four tiles of 64 by 64 cut to 100 by 80, mirrored left and right, half transparent below, with a JPEG
    thumbnail that is turned."""
    writer = Writer()
    tiles = []
    for colour in (RED, GREEN, BLUE, GREY):
        config, data = hevc(patches(64, 64, (colour,) * 4), quality=50)
        tiles.append(writer.add(b"hvc1", data, [ispe(64, 64), config, SRGB]))
    grid = struct.pack(">BBBBHH", 0, 0, 1, 1, 100, 80)
    picture = writer.add(b"grid", grid, [ispe(100, 80), imir(1)], idat=True)
    opaque, half = (255,), (128,)
    config, data = hevc(patches(50, 40, (opaque, opaque, half, half))[..., 0], quality=80)
    alpha = writer.add(b"hvc1", data, [ispe(50, 40), config, ALPHA, SRGB, imir(1)])
    jpeg = io.BytesIO()
    Image.fromarray(patches(16, 8)).save(jpeg, "JPEG", quality=30, optimize=True, subsampling=2)
    small = writer.add(b"jpeg", jpeg.getvalue(), [ispe(16, 8), irot(3), imir(1)])
    writer.refer(b"dimg", picture, *tiles)
    writer.refer(b"auxl", alpha, picture)
    writer.refer(b"thmb", small, picture)
    save("grid_mirrored_alpha.heic", writer.file(b"heic", picture))


def cropped_with_profile():
    """Display P3 by an ICC profile, cropped to the right half, inside an identity item."""
    p3 = ImageCms.ImageCmsProfile(io.BytesIO(small_p3_profile()))
    srgb = ImageCms.createProfile("sRGB")
    wide = ImageCms.profileToProfile(Image.fromarray(patches(64, 48)), srgb, p3, renderingIntent=1)
    writer = Writer()
    config, data = hevc(np.array(wide))
    profile = box(b"colr", b"prof", small_p3_profile())
    source = writer.add(b"hvc1", data, [ispe(64, 48), config, profile])
    picture = writer.add(b"iden", b"", [ispe(64, 48), clap(32, 48, 32, 0)])
    writer.refer(b"dimg", picture, source)
    save("identity_cropped_p3.heic", writer.file(b"heic", picture))


def small_p3_profile():
    """Display P3 as an ICC profile of version 2: three colourants, white and one curve."""

    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(*values):
        return b"XYZ " + bytes(4) + b"".join(map(fixed, values))

    # A gamma of 2.2 stands for sRGB's curve.
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    blocks = {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.51512, 0.24120, -0.00105),
        b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.15710, 0.06657, 0.78407),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 3) + b"P3\0" + bytes(79),
        b"cprt": b"text" + bytes(4) + b"none",
    }
    table, body = struct.pack(">I", len(blocks)), b""
    start = 128 + 4 + 12 * len(blocks)
    for tag, block in blocks.items():
        at = body.find(block)
        if at < 0:
            at, body = len(body), body + block + bytes(-len(block) % 4)
        table += struct.pack(">4sII", tag, start + at, len(block))
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return head.ljust(128, b"\0") + table + body


def overlay():
    """Two AV1 pictures over blue: one as it is, one reaching over the right edge."""
    writer = Writer()
    config, data = av1(patches(32, 32, (RED,) * 4), "-y", "420", "--cicp", "1/13/6")
    red = writer.add(b"av01", data, [ispe(32, 32), config, SRGB])
    config, data = av1(patches(32, 32, (GREEN,) * 4), "-y", "420", "--cicp", "1/13/6")
    green = writer.add(b"av01", data, [ispe(32, 32), config, SRGB])
    layout = struct.pack(">BB4H2H4h", 0, 0, 0, 0, 65535, 65535, 64, 48, 0, 0, 48, 16)
    picture = writer.add(b"iovl", layout, [ispe(64, 48)], idat=True)
    writer.refer(b"dimg", picture, red, green)
    save("overlay.avif", writer.file(b"avif", picture))


def alpha_in_ten_bits():
    """4:4:4 in 10 bits and the television range, with premultiplied alpha of the same size."""
    writer = Writer()
    dark = tuple(tuple(value // 2 for value in colour) for colour in (BLUE, GREY))
    options = ["-y", "444", "-d", "10", "-r", "limited", "--cicp", "1/13/1"]
    config, data = av1(patches(64, 48, (RED, GREEN, *dark)), *options)
    picture = writer.add(b"av01", data, [ispe(64, 48), config, nclx(1, 13, 1, False)])
    opaque, half = (255,), (128,)
    config, data = av1(patches(64, 48, (opaque, opaque, half, half))[..., 0], "-y", "400", "--cicp", "1/13/6")
    alpha = writer.add(b"av01", data, [ispe(64, 48), config, ALPHA])
    writer.refer(b"auxl", alpha, picture)
    writer.refer(b"prem", picture, alpha)
    save("alpha_444_10_limited.avif", writer.file(b"avif", picture))


def sequence():
    """A film of one frame and nothing else, turned by its track."""
    config, data = av1(patches(64, 48), "-y", "420", "--cicp", "1/13/6")
    entry = bytes(6) + struct.pack(">H16xHH", 1, 64, 48) + bytes(50) + config + SRGB
    matrix = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    head = box(b"ftyp", b"avis", bytes(4), b"msf1", b"avis")

    def film(start):
        table = box(
            b"stbl",
            full(b"stsd", 0, 0, struct.pack(">I", 1), box(b"av01", entry)),
            full(b"stsz", 0, 0, struct.pack(">III", 0, 1, len(data))),
            full(b"stco", 0, 0, struct.pack(">II", 1, start)),
        )
        media = box(b"mdia", full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)), box(b"minf", table))
        header = full(b"tkhd", 0, 3, bytes(20), bytes(8), bytes(8), matrix, struct.pack(">II", 64 << 16, 48 << 16))
        return box(b"moov", box(b"trak", header, media))

    start = len(head) + len(film(0)) + 8
    save("sequence.avif", head + film(start) + box(b"mdat", data))


def main():
    DATA.mkdir(exist_ok=True)
    rotated_with_metadata()
    grid_with_alpha()
    cropped_with_profile()
    # Grey levels as PQ: black, 18 % grey, white on paper and the peak of 1,000 nits.
    levels = [(round(code / 1023 * 255),) * 3 for code in (0, 405, 594, 769)]
    simple("pq_10.heic", b"heic", b"hvc1", hevc(patches(64, 48, levels), 10), (64, 48), nclx(9, 16, 6, True))
    simple("yuv444_12.heic", b"heic", b"hvc1", hevc(patches(64, 48), 12, 444), (64, 48), SRGB)
    grey = patches(64, 48, ((30,), (90,), (150,), (220,)))[..., 0]
    simple("grey_8.heic", b"heic", b"hvc1", hevc(grey), (64, 48), SRGB, imir(0))
    picture = av1(patches(64, 48), "-y", "420", "-d", "8", "--cicp", "1/13/6")
    simple("p3_8_mirrored.avif", b"avif", b"av01", picture, (64, 48), nclx(12, 13, 6, True), imir(1))
    picture = av1(patches(64, 48, levels), "-y", "422", "-d", "12", "--cicp", "9/18/9")
    simple("hlg_422_12.avif", b"avif", b"av01", picture, (64, 48), nclx(9, 18, 9, True))
    overlay()
    alpha_in_ten_bits()
    sequence()


if __name__ == "__main__":
    main()
