"""The file that is compiled into the program.

    8 bytes    "photplc1"
    8 bytes    identity of the content: of the SHA-256 of all parts, inflated
    u32        number of parts; then the length of each part, u32. All numbers are little-endian.
    parts      each compressed with Brotli: points, areas, then the names of each GROUP of places

Places are in the order of a Z curve over squares of 360/2^18 degrees, so that neighbours are
together: on the map, and in names and regions, which packs well.

    points     u32 number of places, u32 GROUP; then for all places
               the way along the curve from the one before, in bytes of seven bits, low ones first,
               then a byte: people, as round(2 log2(people + 1)),
               then a byte and another: low and high byte of the line in areas
    areas      a line each: code, name, other names, with tabs between; a country comes before its
               regions, and a region's code begins with its country's ("JP", "JP.22")
    names      a line each: name, other names, with tabs between; others are bare
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections import Counter
from dataclasses import dataclass

import brotli

from .areas import Area, Areas
from .places import Place

MAGIC = b"photplc1"
GROUP = 1024
SQUARES = 1 << 18  # around the equator


@dataclass
class Packed:
    """The file, and where its bytes go."""

    data: bytes
    counts: Counter[str]


def pack(places: list[Place], areas: Areas) -> Packed:
    """All in one."""
    ordered = sorted((along(place.lat, place.lon), place.key, place) for place in places)
    lines = _lines(areas)
    line_of = {area.code: number for number, area in enumerate(lines)}
    points = [struct.pack("<II", len(ordered), GROUP)]
    before = 0
    for curve, _, _ in ordered:
        points.append(_sevens(curve - before))
        before = curve
    points.append(bytes(size_class(place.people) for _, _, place in ordered))
    area = [line_of[place.region or place.country] for _, _, place in ordered]
    points.append(bytes(number & 255 for number in area))
    points.append(bytes(number >> 8 for number in area))
    names = [_line(place.name, place.others) for _, _, place in ordered]
    texts = ["".join(_line(f"{a.code}\t{a.name}", a.others) for a in lines)]
    texts += ["".join(names[start : start + GROUP]) for start in range(0, len(names), GROUP)]
    content = [b"".join(points), *(text.encode("utf-8") for text in texts)]
    identity = hashlib.sha256(b"".join(content)).digest()[:8]
    parts = [_compress(content[0], brotli.MODE_GENERIC)]
    parts += [_compress(text, brotli.MODE_TEXT) for text in content[1:]]
    head = MAGIC + identity + struct.pack(f"<I{len(parts)}I", len(parts), *map(len, parts))
    counts = Counter(
        {
            "bytes of points": len(parts[0]),
            "bytes of regions and countries": len(parts[1]),
            "bytes of names": sum(map(len, parts[2:])),
            "bytes in all": len(head) + sum(map(len, parts)),
        }
    )
    return Packed(head + b"".join(parts), counts)


def inflate(data: bytes) -> list[bytes] | None:
    """The identity and the parts of a file, if it is whole."""
    if len(data) < 20 or not data.startswith(MAGIC):
        return None
    (count,) = struct.unpack_from("<I", data, 16)
    start = 20 + 4 * count
    if len(data) < start:
        return None
    parts = [data[8:16]]
    for length in struct.unpack_from(f"<{count}I", data, 20):
        try:
            parts.append(brotli.decompress(data[start : start + length]))
        except brotli.error:
            return None
        start += length
    return parts if start == len(data) else None


def along(lat: float, lon: float) -> int:
    """How far along the curve a point lies: the bits of its column and row, mixed."""
    column = math.floor((lon + 180) / 360 * SQUARES) % SQUARES
    row = math.floor((lat + 90) / 360 * SQUARES)
    return _spread(column) | _spread(row) << 1


def size_class(people: int) -> int:
    """A byte for the number of people."""
    return round(2 * math.log2(people + 1))


def _spread(number: int) -> int:
    return sum((number >> bit & 1) << 2 * bit for bit in range(18))


def _sevens(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _lines(areas: Areas) -> list[Area]:
    of_country: dict[str, list[Area]] = {}
    for region in areas.regions:
        of_country.setdefault(region.code[:2], []).append(region)
    lines = []
    for country in areas.countries:
        lines += [country, *of_country.get(country.code, ())]
    return lines


def _line(name: str, others: list[str]) -> str:
    columns = [name, *others]
    if any("\n" in c for c in columns) or any("\t" in c for c in others):
        raise ValueError(f"a name with a tab or a line break: {columns}")
    return "\t".join(columns) + "\n"


def _compress(data: bytes, mode: int) -> bytes:
    return brotli.compress(data, mode=mode, quality=11, lgwin=22)
