"""Regions and countries, and what they are called."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from .places import Place
from .sources import CLDR_COUNTRIES, CLDR_REGIONS, ISO_REGIONS, REGIONS, Sources
from .words import bare, script

COUNTRIES = Path(__file__).resolve().parent.parent / "countries.tsv"

# Words that say what kind of region it is; people leave them out ("Cluj County").
KINDS = {
    "autonomous", "capital", "city", "community", "county", "department", "district", "division",
    "governorate", "island", "islands", "municipality", "oblast", "parish", "prefecture", "province",
    "region", "republic", "special", "state", "territory", "urban", "voivodeship",
}
# Between such a word and the name.
LINKS = {"and", "of", "the"}
# Languages in which countries are named: those that CLDR covers to its level "modern".
LANGUAGES = set(
    "af am ar as az be bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gd gl gu he hi hr hu hy"
    " id is it ja ka kk km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl nn no or pa pl ps pt ro ru sd si"
    " sk sl so sq sr sr-Latn sv sw ta te th tk tr uk ur uz vi yue zh zh-Hant zu".split()
)
# Shorter words for a country in Latin letters are taken from English only: in some language "du" is one.
SHORTEST = 3

# Whose regions are often written by their code ("Austin, TX").
CODES_OF_REGIONS = {"US", "CA", "AU"}


@dataclass
class Area:
    """A country ("JP") or a region ("JP.22")."""

    code: str
    name: str
    others: list[str] = field(default_factory=list)  # bare, without the name's own


@dataclass
class Areas:
    """Countries by their code, each followed by its regions by theirs."""

    countries: list[Area]
    regions: list[Area]


def read(sources: Sources, places: list[Place]) -> Areas:
    """The countries and regions of these places."""
    names = {row["code"]: row["name"] for row in sources.json(REGIONS, "admin1.json")}
    # A place whose region has no name (a small state, a code of yore) has none.
    for place in places:
        if place.region not in names:
            place.region = ""
    regions = _regions(sources, names, sorted({p.region for p in places if p.region}))
    countries = _countries(sources, sorted({p.country for p in places}))
    return Areas(countries, regions)


def _countries(sources: Sources, codes: list[str]) -> list[Area]:
    by_hand = {}
    for line in COUNTRIES.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            code, name, others = line.split("\t")
            by_hand[code] = (name, [word for word in others.split("|") if word])
    spoken: dict[str, list[str]] = {code: [] for code in codes}
    english = {}
    files = sources.members(CLDR_COUNTRIES, re.compile(r"main/[^/]+/territories\.json").fullmatch)
    for file in sorted(files):
        language = file.split("/")[1]
        if language not in LANGUAGES:
            continue
        table = json.loads(files[file])["main"][language]["localeDisplayNames"]["territories"]
        if language == "en":
            english = table
        for key, name in table.items():
            # "HK-alt-short" is another name of HK.
            code = key.split("-")[0]
            word = bare(name)
            long = len(word) >= SHORTEST or (word and script(word) != "LATIN")
            if code in spoken and (language == "en" or long):
                spoken[code].append(name)
    areas = []
    for code in codes:
        name, others = by_hand.get(code, ("", []))
        name = name or english.get(code)
        if not name:
            raise ValueError(f"no name for the country {code}")
        areas.append(Area(code, name, _others(name, [*spoken[code], *others])))
    return areas


def _regions(sources: Sources, names: dict[str, str], codes: list[str]) -> list[Area]:
    english = json.loads(sources.read(CLDR_REGIONS, "subdivisions/en/en.json"))
    english = english["subdivisions"]["localeDisplayNames"]["subdivisions"]
    # By country: what has the same name in one of both tables is the same region.
    local: dict[str, list[tuple[str, list[str]]]] = {}
    text = sources.read(ISO_REGIONS, "2.js").decode("utf-8")
    rows = re.findall(r"""code: '([^']+)',\s+name: (?:'([^']*)'|"([^"]*)")""", text)
    for code, single, double in rows:
        name = single or double
        spoken = english.get(code.replace("-", "").lower())
        local.setdefault(code[:2], []).append((code, [n for n in (name, spoken) if n]))
    areas = []
    for code in codes:
        name, country = names[code], code[:2]
        others = [core(name)]
        for iso, spoken in local.get(country, ()):
            if core(name) in map(core, spoken):
                others += spoken
                if country in CODES_OF_REGIONS:
                    others.append(iso[3:])
        areas.append(Area(code, name, _others(name, others)))
    return areas


def core(name: str) -> str:
    """A region's name without the words for its kind, if anything is left."""
    words = bare(name).split()
    left = [word for word in words if word not in KINDS]
    while left and left[0] in LINKS:
        left = left[1:]
    return " ".join(left if left else words)


def _others(name: str, spoken: list[str]) -> list[str]:
    return sorted({bare(word) for word in spoken} - {bare(name), ""})
