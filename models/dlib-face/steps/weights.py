"""What lies where in the published file of weights.

`face_recognition_model.bin` holds one tensor after another, as its manifest lists them: most as bytes
(value = byte · scale + min), the filters of the second stage as float32.
"""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import numpy as np

FILE = "face_recognition_model.bin"


class Tensor(NamedTuple):
    shape: tuple[int, ...]
    offset: int
    length: int
    # None: float32 as they are.
    scale: float | None
    least: float | None

    @property
    def is_bytes(self) -> bool:
        return self.scale is not None

    def values(self, data: bytes) -> np.ndarray:
        kind = np.uint8 if self.is_bytes else np.dtype("<f4")
        raw = np.frombuffer(data, kind, math.prod(self.shape), self.offset).reshape(self.shape)
        if not self.is_bytes:
            return raw
        return raw.astype(np.float32) * np.float32(self.scale) + np.float32(self.least)


def tensors(manifest: bytes, size: int) -> dict[str, Tensor]:
    """Every tensor by name."""
    (group,) = json.loads(manifest)
    if group["paths"] != [FILE]:
        raise ValueError(f"the weights lie in {group['paths']}, not in {FILE} alone")
    found = {}
    offset = 0
    for entry in group["weights"]:
        packed = entry.get("quantization")
        if packed and packed["dtype"] != "uint8":
            raise ValueError(f"{entry['name']}: packed as {packed['dtype']}, not as bytes")
        shape = tuple(entry["shape"])
        length = math.prod(shape) * (1 if packed else 4)
        packing = (packed["scale"], packed["min"]) if packed else (None, None)
        found[entry["name"]] = Tensor(shape, offset, length, *packing)
        offset += length
    if offset != size:
        raise ValueError(f"{FILE} has {size} bytes, its manifest lists {offset}")
    return found
