"""`classes.tsv`, checked: the network's classes in words, and what is true where they are."""

from __future__ import annotations

from pathlib import Path

from recipe.tagging import Tagger

from .network import CLASSES

HEADER = "# class\tname\tsynonyms\tabove"


def check(table: bytes, classifier: Path) -> None:
    """Refuses names that are there twice, and kinds that neither pack has."""
    lines = table.decode("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    if HEADER not in lines or len(rows) != CLASSES or any(len(row) != 4 for row in rows):
        raise ValueError(f"classes.tsv: not {CLASSES} rows of four columns below {HEADER!r}")
    known = {term.name.lower() for term in Tagger(classifier).terms}
    owner: dict[str, str] = {}
    for kind, name, synonyms, _above in rows:
        for word in (name, *synonyms.split("|")):
            if word and owner.setdefault(word, kind) != kind:
                raise ValueError(f"classes.tsv: {kind}: {owner[word]} has the word {word!r} too")
    names = known | {name for _kind, name, *_ in rows}
    for kind, _name, _synonyms, above in rows:
        for entry in filter(None, above.split("|")):
            word, _, likely = entry.rpartition(" ") if entry[-1].isdigit() else (entry, "", "1")
            if word not in names or not 0 < float(likely) <= 1:
                raise ValueError(f"classes.tsv: {kind}: {entry!r} is no term with a likelihood")
