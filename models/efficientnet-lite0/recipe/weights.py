"""Reads the published PyTorch weights without PyTorch.

The file is in PyTorch's old (2016–2020) format: five pickles in a row (magic
number, protocol version, system facts, the state dictionary, the storage keys),
then for each storage an int64 element count and its raw little-endian elements.
The state dictionary only *refers* to storages, through pickle's persistent ids.

A pickle can name any function. This reader knows the four names the file needs
and refuses every other, so a tampered file can do nothing.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


class _Lazy:
    """A tensor whose storage has not been read yet."""

    def __init__(self, storage, offset, size, stride):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride


def _rebuild_tensor(storage, offset, size, stride, *_ignored):
    return _Lazy(storage, offset, size, stride)


class _StatePickle(pickle.Unpickler):
    ALLOWED = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def find_class(self, module, name):
        try:
            return self.ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}") from None

    def persistent_load(self, pid):
        kind, dtype, key, _device, _count, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown reference {pid!r}")
        return (key, dtype)


def read_state_dict(data: bytes) -> dict[str, np.ndarray]:
    """Name → array for every tensor in the file, in the file's order."""
    stream = io.BytesIO(data)
    if _StatePickle(stream).load() != MAGIC or _StatePickle(stream).load() != PROTOCOL:
        raise ValueError("not a PyTorch file of the old format")
    if not _StatePickle(stream).load()["little_endian"]:
        raise ValueError("big-endian weights")
    state = _StatePickle(stream).load()
    keys = _StatePickle(stream).load()

    dtypes = {t.storage[0]: t.storage[1] for t in state.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        dtype = dtypes[key]
        storages[key] = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    if stream.read(1):
        raise ValueError("bytes left over after the last storage")

    tensors = {}
    for name, lazy in state.items():
        whole = storages[lazy.storage[0]]
        strides = tuple(s * whole.itemsize for s in lazy.stride)
        view = np.lib.stride_tricks.as_strided(whole[lazy.offset :], lazy.size, strides)
        tensors[name] = np.ascontiguousarray(view)
    return tensors
