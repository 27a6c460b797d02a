"""Names as they are compared, and in which script they are written.

`bare` here and `bare` in the program must say the same of every name: a test in `src/geo` holds that
what is stored is what the program would make of it.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

SPELLINGS = {
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
}  # fmt: skip
# Left out, not made a blank: "N'Djamena", "St. Louis", "U.S.A.".
SILENT = set("'’‘ʻʼʽ`′.")


@cache
def bare(name: str) -> str:
    """Without case, accents and punctuation."""
    out = []
    for c in unicodedata.normalize("NFKD", name):
        if unicodedata.category(c).startswith("M") or c in SILENT:
            continue
        for low in c.lower():
            low = SPELLINGS.get(low, low)
            if low == "\u0307":
                continue
            out.append(low if low.isalnum() else " ")
    # Composed again: Hangul taken apart is three times as long.
    return " ".join(unicodedata.normalize("NFC", "".join(out)).split())


def script(word: str) -> str:
    """The script of a word, by its first letter: LATIN, CYRILLIC, CJK …"""
    return unicodedata.name(word[0], "?").split()[0]


def native_scripts(path: Path) -> dict[str, set[str]]:
    """Countries in which each script is written."""
    table = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, countries = line.split("\t")
            table[name] = set(countries.split())
    return table
