#!/usr/bin/env python3
"""Put the pinned ONNX Runtime library where photond finds it.

photond loads ONNX Runtime when it starts (`libonnxruntime.so`, on macOS
`libonnxruntime.dylib`) and does not bring its own. The Python package
`onnxruntime` carries exactly that library, so this script asks pip for one
pinned wheel, checks it, and takes the library out of it. Nothing is installed:
the wheel is read as a zip file and thrown away.

What it promises:
  * one wheel per platform, named here with its SHA-256, and the library in it
    with its own; anything else is refused;
  * a library with the right hash is left alone, and no network is used then;
  * files appear whole or not at all (written beside, synced, renamed);
  * the library is only a file to this script; it is never loaded.

The Python that runs this may be 3.9 or any later one: the wheel is chosen by
explicit tags, and the library in it does not depend on Python.

Into the destination (default: `runtime/` in the project) go:
  libonnxruntime.so|.dylib          the library
  onnxruntime.stamp                 version, platform and hashes, `key = "value"` lines
  LICENSE.onnxruntime.txt           its licence (MIT)
  ThirdPartyNotices.onnxruntime.txt the licences of what is linked into it

Exit code: 0 the library is there, 1 it is not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from fetch_models import Failure, pip_download, sha256, write_atomically

# 1.23.2 is the last version that has wheels for all four platforms (1.24 dropped
# Intel Macs). photond's bindings need 1.18 or later.
VERSION = "1.23.2"
PYTHON_VERSION = "3.12"
ABI = "cp312"


@dataclass(frozen=True)
class Build:
    """One platform's wheel: pip's tag for it, and what it must contain."""

    tag: str
    wheel_sha256: str
    member: str
    library: str
    library_sha256: str


BUILDS = {
    "linux-x86_64": Build(
        tag="manylinux_2_28_x86_64",
        wheel_sha256="0f9b4ae77f8e3c9bee50c27bc1beede83f786fe1d52e99ac85aa8d65a01e9b77",
        member=f"onnxruntime/capi/libonnxruntime.so.{VERSION}",
        library="libonnxruntime.so",
        library_sha256="718c3fb0785d5ea06061b92c32ce4ad35be1bd4c71ae6192efe06f1ab21f0f8a",
    ),
    "linux-aarch64": Build(
        tag="manylinux_2_28_aarch64",
        wheel_sha256="76ff670550dc23e58ea9bc53b5149b99a44e63b34b524f7b8547469aaa0dcb8c",
        member=f"onnxruntime/capi/libonnxruntime.so.{VERSION}",
        library="libonnxruntime.so",
        library_sha256="ab8c4363e06ac80b3d1279ea55ebea44e906c5b131ba783ff684a067540c0e94",
    ),
    "macos-arm64": Build(
        tag="macosx_13_0_arm64",
        wheel_sha256="b8f029a6b98d3cf5be564d52802bb50a8489ab73409fa9db0bf583eabb7c2321",
        member=f"onnxruntime/capi/libonnxruntime.{VERSION}.dylib",
        library="libonnxruntime.dylib",
        library_sha256="92500010659b052368797e30c1841956b0efd699a8061ef8b3b25f27449c86e7",
    ),
    "macos-x86_64": Build(
        tag="macosx_13_0_x86_64",
        wheel_sha256="218295a8acae83905f6f1aed8cacb8e3eb3bd7513a13fe4ba3b2664a19fc4a6b",
        member=f"onnxruntime/capi/libonnxruntime.{VERSION}.dylib",
        library="libonnxruntime.dylib",
        library_sha256="41e7960eccef34f60ca21d091d37bc97d0e70a0b4ce902babf5f795a76e1af74",
    ),
}

NOTICES = {
    "onnxruntime/LICENSE": "LICENSE.onnxruntime.txt",
    "onnxruntime/ThirdPartyNotices.txt": "ThirdPartyNotices.onnxruntime.txt",
}
STAMP = "onnxruntime.stamp"


def main() -> int:
    args = parse_arguments()
    try:
        key = args.platform or this_platform()
        print(ensure(key, args.dest, args.wheel, check_only=args.check))
        return 0
    except (Failure, OSError) as problem:
        print(f"fetch_runtime: {problem}", file=sys.stderr)
        found = system_library()
        if found:
            print(
                f"fetch_runtime: there is an ONNX Runtime on this system, {found}; "
                "photond uses it if it is version 1.18 or later",
                file=sys.stderr,
            )
            if args.accept_system:
                return 0
        return 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=f"Fetch ONNX Runtime {VERSION} for photond, checksum verified."
    )
    parser.add_argument(
        "--dest",
        type=Path,
        default=Path(__file__).resolve().parent.parent / "runtime",
        help="directory for the library (default: runtime/ in the project)",
    )
    parser.add_argument("--wheel", type=Path, help="use this wheel file; no network")
    parser.add_argument(
        "--platform", choices=sorted(BUILDS), help="fetch for this platform, not this machine's"
    )
    parser.add_argument(
        "--check", action="store_true", help="only say whether the right library is there"
    )
    parser.add_argument(
        "--accept-system",
        action="store_true",
        help="exit 0 if the fetch fails but an ONNX Runtime is installed on the system",
    )
    return parser.parse_args()


def this_platform() -> str:
    """The key in BUILDS of the machine this runs on."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    if sys.platform == "darwin":
        key = "macos-arm64" if machine == "aarch64" else f"macos-{machine}"
    elif sys.platform.startswith("linux"):
        if is_musl():
            raise Failure(
                "this Linux uses musl, and the prebuilt library needs glibc; install the "
                "distribution's onnxruntime package and set ORT_DYLIB_PATH to its library"
            )
        key = f"linux-{machine}"
    else:
        key = f"{sys.platform}-{machine}"
    if key not in BUILDS:
        raise Failure(
            f"there is no pinned ONNX Runtime for {key}, only for {', '.join(sorted(BUILDS))}; "
            "install one yourself and set ORT_DYLIB_PATH to it"
        )
    return key


def is_musl() -> bool:
    return "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") or bool(
        not platform.libc_ver()[0] and glob.glob("/lib/ld-musl-*")
    )


def ensure(key: str, dest: Path, wheel: Path | None, check_only: bool = False) -> str:
    """Makes `dest` hold the pinned library; returns the line that says what was done."""
    build = BUILDS[key]
    library = dest / build.library
    if library.is_file() and sha256(library) == build.library_sha256:
        return f"ONNX Runtime {VERSION} ({key}) is in place: {library}"
    if check_only:
        state = "is not the pinned one" if library.exists() else "is missing"
        raise Failure(f"{library} {state}; run tools/fetch_runtime.py")
    if wheel is not None:
        install(key, build, wheel, dest)
    else:
        with tempfile.TemporaryDirectory(prefix="photond-runtime-") as scratch:
            install(key, build, download(build, Path(scratch)), dest)
    return f"ONNX Runtime {VERSION} ({key}) installed: {library}"


def download(build: Build, scratch: Path) -> Path:
    """Has pip put the one pinned wheel into `scratch`; the hash is checked by `install`."""
    tags = (
        "--platform", build.tag, "--python-version", PYTHON_VERSION,
        "--implementation", "cp", "--abi", ABI,
    )  # fmt: skip
    offline = f"give the {build.tag} wheel with --wheel FILE"
    return pip_download(f"onnxruntime=={VERSION}", scratch, offline, tags)


def install(key: str, build: Build, wheel: Path, dest: Path) -> None:
    """Verifies `wheel` and takes the library and its licences out of it.

    The stamp is written last, so a stamp tells of a whole installation.
    """
    if not wheel.is_file():
        raise Failure(f"{wheel}: no such file")
    found = sha256(wheel)
    if found != build.wheel_sha256:
        other = [k for k, b in BUILDS.items() if b.wheel_sha256 == found]
        what = f"it is the one for {other[0]}" if other else f"its SHA-256 is {found}"
        raise Failure(
            f"{wheel.name} is not the pinned wheel for {key}: {what}, expected {build.wheel_sha256}"
        )
    dest.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for member, name in NOTICES.items():
            write_atomically(dest / name, archive.read(member), 0o644)
        library = archive.read(build.member)
    found = hashlib.sha256(library).hexdigest()
    if found != build.library_sha256:
        raise Failure(
            f"{build.member} has SHA-256 {found}, expected {build.library_sha256}: "
            "the table in tools/fetch_runtime.py is wrong"
        )
    write_atomically(dest / build.library, library, 0o755)
    stamp = (
        f'name = "onnxruntime"\nversion = "{VERSION}"\nplatform = "{key}"\n'
        f'library = "{build.library}"\nsha256 = "{build.library_sha256}"\n'
        f'wheel_sha256 = "{build.wheel_sha256}"\n'
    )
    write_atomically(dest / STAMP, stamp.encode(), 0o644)


def system_library() -> str | None:
    """An ONNX Runtime that photond would find without this script's help."""
    named = os.environ.get("ORT_DYLIB_PATH")
    if named and Path(named).is_file():
        return f"{named} (ORT_DYLIB_PATH)"
    ldconfig = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if ldconfig and sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            listing = subprocess.run(
                [ldconfig, "-p"], capture_output=True, text=True, timeout=30, check=False
            ).stdout
            match = re.search(r"^\s*libonnxruntime\.so\S*\s.*=>\s*(\S+)", listing, re.MULTILINE)
            if match:
                return match.group(1)
    for folder in ("/opt/homebrew/lib", "/usr/local/lib"):
        for name in ("libonnxruntime.dylib", "libonnxruntime.so"):
            if Path(folder, name).is_file():
                return str(Path(folder, name))
    return None


if __name__ == "__main__":
    sys.exit(main())
