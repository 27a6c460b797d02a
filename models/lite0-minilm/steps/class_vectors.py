"""`class_vectors.bin`: a vector of the text model's space for each class.

    offset       0  "PHCV"
                 4  u32 version = 1
                 8  u32 rows
                12  u32 dims
                16  f32 centre[dims]
    16 + 4 * dims   f16 vectors[rows][dims]

Everything is little-endian. A class's vector is the mean of its groups' means, scaled to
length one; `centre` is the mean of all of them, and `vectors` are the classes' minus it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from .class_texts import ClassTexts
from .text_encoder import unit

MAGIC = b"PHCV"
VERSION = 1
HEADER = 16
# What another processor's float arithmetic may change: a value of the file by its last
# bit (f16 has 11 of them), where it was close to the middle between two.
LAST_BIT = 2.0**-11
FLOAT_NOISE = 1e-6


Encode = Callable[[tuple[str, ...]], np.ndarray]


def class_vectors(encode: Encode, texts: list[ClassTexts]) -> bytes:
    """The file's bytes."""
    groups = [[encode(group).mean(axis=0) for group in text.groups()] for text in texts]
    vectors = unit(np.mean(groups, axis=1))
    centre = vectors.mean(axis=0)
    header = MAGIC + struct.pack("<III", VERSION, *vectors.shape)
    return header + centre.astype("<f4").tobytes() + (vectors - centre).astype("<f2").tobytes()


def read(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """float64 centre [dims] and vectors [rows, dims] out of the file's bytes."""
    if len(data) < HEADER or data[:4] != MAGIC:
        raise ValueError("no file of class vectors")
    version, rows, dims = struct.unpack_from("<III", data, 4)
    if version != VERSION or len(data) != HEADER + 4 * dims + 2 * rows * dims:
        raise ValueError("class vectors of another version or length")
    centre = np.frombuffer(data, "<f4", dims, HEADER)
    vectors = np.frombuffer(data, "<f2", rows * dims, HEADER + 4 * dims)
    return centre.astype(np.float64), vectors.reshape(rows, dims).astype(np.float64)


def same_but_for_rounding(one: bytes, other: bytes) -> bool:
    """Whether two files differ by no more than two processors' arithmetic does."""
    try:
        (centre, vectors), (other_centre, other_vectors) = read(one), read(other)
    except ValueError:
        return False
    if vectors.shape != other_vectors.shape:
        return False
    step = LAST_BIT * 2 * np.maximum(np.abs(vectors), np.abs(other_vectors)) + FLOAT_NOISE
    return bool(
        (np.abs(vectors - other_vectors) <= step).all()
        and (np.abs(centre - other_centre) <= FLOAT_NOISE).all()
    )
