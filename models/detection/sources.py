"""Packages of two more kinds than the classifier's recipe reads: npm's, and more photos.

Like there, each source is one file of one pinned release with its SHA-256, fetched by the
registry's ordinary client; nothing is installed and no code of a package is run.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from recipe.sources import SourceError, Wheel

# Photos with people in them, beside those of the classifier's recipe.
MAHOTAS = Wheel(
    "mahotas==1.4.13",
    "e3328c0ff1ae828c544ba0df0fcdb5d0759948f86884f8fb31494d0441f45574",
    (
        "--platform", "manylinux2014_x86_64", "--python-version", "3.11",
        "--implementation", "cp", "--abi", "cp311",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Tarball:
    """One npm package: the exact release, and the SHA-256 of its archive."""

    requirement: str
    sha256: str


def read_tarball(cache: Path, source: Tarball, members: list[str]) -> list[bytes]:
    """The bytes of some files in an archive whose hash has been checked."""
    data = _verified(cache, source)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = [archive.extractfile(f"package/{member}") for member in members]
        return [file.read() for file in found]


def _verified(cache: Path, source: Tarball) -> bytes:
    kept = cache / f"{source.requirement.lstrip('@').replace('/', '-').replace('@', '-')}.tgz"
    if kept.is_file() and _digest(data := kept.read_bytes()) == source.sha256:
        return data
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError(f"{source.requirement}: npm is needed, or {kept} put there by hand")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", scratch]
        result = subprocess.run(
            [*command, source.requirement], capture_output=True, text=True, check=False
        )
        found = list(Path(scratch).glob("*.tgz"))
        if result.returncode != 0 or len(found) != 1:
            raise SourceError(f"{source.requirement}: npm: {result.stderr.strip()}")
        data = found[0].read_bytes()
        if _digest(data) != source.sha256:
            raise SourceError(
                f"{source.requirement}: SHA-256 {_digest(data)}, expected {source.sha256}"
            )
        found[0].replace(kept)
    return data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
