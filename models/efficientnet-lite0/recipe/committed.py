"""What a build script does with the files it has made: it compares them with the committed
ones, or writes those that differ. The sibling packs' scripts end here too.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def settle(
    folder: Path,
    files: dict[str, bytes],
    check: bool,
    summary: str,
    content: Callable[[bytes], object] = bytes,
) -> int:
    """The script's exit code. Two files are the same if their `content` is."""
    different = [
        name
        for name, data in files.items()
        if not (folder / name).is_file()
        or content((folder / name).read_bytes()) != content(data)
    ]
    if check:
        for name in different:
            print(f"build: {name} differs from a fresh build", file=sys.stderr)
        if not different:
            print(f"{len(files)} files equal a fresh build")
        return 1 if different else 0
    for name in different:
        write_atomically(folder / name, files[name])
    print(f"{summary}; changed: {', '.join(different) or 'none'}")
    return 0


def size(files: dict[str, bytes]) -> str:
    """Number and bytes of some files, in words."""
    return f"{len(files)} files, {sum(map(len, files.values()))} bytes"


def write_atomically(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
