"""The label bank: the classifier's last layer, eight bits a weight.

    offset  0  "PHLB"
            4  u32 version = 1
            8  u32 rows
           12  u32 dims
           16  f32 scale[rows]
               f32 bias[rows]
               zeros up to a multiple of 64
               i8  weights[rows][dims]

Everything is little-endian. A class's logit is `scale[r] * dot(weights[r], x) + bias[r]`
with x the encoder's output as it is; softmax over the rows makes probabilities.
"""

from __future__ import annotations

import struct

import numpy as np

MAGIC = b"PHLB"
VERSION = 1
ALIGNMENT = 64  # a cache line, and the widest SIMD register


def label_bank(weight: np.ndarray, bias: np.ndarray) -> bytes:
    """The bank's bytes from float weights [rows, dims] and biases [rows]."""
    rows, dims = weight.shape
    scale = (np.abs(weight).max(axis=1) / 127).astype("<f4")
    quantised = np.rint(weight / scale[:, None]).astype(np.int8)
    front = MAGIC + struct.pack("<III", VERSION, rows, dims)
    front += scale.tobytes() + bias.astype("<f4").tobytes()
    padding = bytes(-len(front) % ALIGNMENT)
    return front + padding + quantised.tobytes()


def read_label_bank(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Float weights [rows, dims] and biases [rows] from the bank's bytes."""
    version, rows, dims = struct.unpack_from("<III", data, 4)
    if data[:4] != MAGIC or version != VERSION:
        raise ValueError("not a label bank of version 1")
    scale = np.frombuffer(data, "<f4", rows, 16)
    bias = np.frombuffer(data, "<f4", rows, 16 + 4 * rows)
    start = -(-(16 + 8 * rows) // ALIGNMENT) * ALIGNMENT
    if len(data) != start + rows * dims:
        raise ValueError("the label bank's length does not fit its header")
    weight = np.frombuffer(data, np.int8, rows * dims, start).reshape(rows, dims)
    return weight * scale[:, None], bias
