"""Reads the tensors of a TensorFlow.js graph model.

`weightsManifest` names the tensors in the order in which they lie in the binary file, each with
its shape and type; a `quantization` of float16 says how a float tensor is stored.
"""

from __future__ import annotations

import json

import numpy as np


def tensors(topology: bytes, weights: bytes) -> dict[str, np.ndarray]:
    """Name → array for every float tensor."""
    groups = json.loads(topology)["weightsManifest"]
    found, at = {}, 0
    for entry in (entry for group in groups for entry in group["weights"]):
        stored = np.dtype(entry.get("quantization", entry)["dtype"]).newbyteorder("<")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        end = at + count * stored.itemsize
        if end > len(weights):
            raise ValueError(f"{entry['name']}: the file of weights is too short")
        if entry["dtype"] == "float32":
            array = np.frombuffer(weights[at:end], stored).astype(np.float32)
            found[entry["name"]] = array.reshape(entry["shape"])
        at = end
    if at != len(weights):
        raise ValueError("bytes left over after the last tensor")
    return found
