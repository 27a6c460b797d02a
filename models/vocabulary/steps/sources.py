"""The three WordNet 3.0 files the vocabulary is made of, pinned by SHA-256.

They come out of one Debian package, the same release and the same check as in the
classifier's recipe; here the index and the tag counts are wanted beside the synsets.
Fetched files are kept in a cache directory, so a second build needs no network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from recipe.sources import (
    WORDNET_PACKAGE,
    WORDNET_SHA256,
    SourceError,
    wordnet_from_debian,
)

PINNED = {
    "data.noun": WORDNET_SHA256,
    "index.noun": "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04",
    "cntlist.rev": "a198580b8f705fa02797bba8b13e5cbe4a9f9f40cb1697e774c7fc6a5865b035",
}
SYSTEM = Path("/usr/share/wordnet")


def wordnet_files(cache: Path, folder: Path | None) -> dict[str, str]:
    """The pinned files by name: from `folder`, the cache, the system, or Debian's package."""
    for place in [folder] if folder else [cache, SYSTEM]:
        if all((place / name).is_file() for name in PINNED):
            return _verified({name: (place / name).read_bytes() for name in PINNED}, str(place))
    if folder:
        raise SourceError(f"{folder} lacks one of {', '.join(PINNED)}")
    data = wordnet_from_debian(cache, list(PINNED), "FOLDER")
    texts = _verified(data, WORDNET_PACKAGE)
    for name, content in data.items():
        (cache / name).write_bytes(content)
    return texts


def _verified(data: dict[str, bytes], place: str) -> dict[str, str]:
    for name, sha256 in PINNED.items():
        if hashlib.sha256(data[name]).hexdigest() != sha256:
            raise SourceError(f"{name} of {place} is not the pinned one of WordNet 3.0")
    return {name: content.decode("ascii") for name, content in data.items()}
