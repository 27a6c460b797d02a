"""The same network once more, step by step in NumPy, to compare the graph with."""

from __future__ import annotations

import numpy as np

from .network import BLOCKS, MEAN
from .weights import Tensor


def vectors(tensors: dict[str, Tensor], data: bytes, images: np.ndarray) -> np.ndarray:
    """float64 [N, 128] of uint8 [N, 150, 150, 3]."""
    weights = {name: tensor.values(data).astype(np.float64) for name, tensor in tensors.items()}

    def conv(x, name, stride, same):
        filters = weights[f"{name}/conv/filters"]
        side = filters.shape[0]
        if same:
            edge = side // 2
            x = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), (1, 2))
        windows = windows[:, ::stride, ::stride]
        made = np.einsum("nhwcij,ijco->nhwo", windows, filters, optimize=True)
        made = made + weights[f"{name}/conv/bias"]
        return made * weights[f"{name}/scale/weights"] + weights[f"{name}/scale/biases"]

    x = (images.astype(np.float64) - np.array(MEAN)) / 255
    x = np.maximum(conv(x, "conv32_down", 2, same=False), 0)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
    x = windows[:, ::2, ::2].max((-1, -2))
    for name, down in BLOCKS:
        made = np.maximum(conv(x, f"{name}/conv1", 2 if down else 1, same=not down), 0)
        made = conv(made, f"{name}/conv2", 1, same=True)
        if down:
            windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), (1, 2))
            x = windows[:, ::2, ::2].mean((-1, -2))
            gap = x.shape[1] - made.shape[1]
            made = np.pad(made, ((0, 0), (0, gap), (0, gap), (0, 0)))
            x = np.pad(x, ((0, 0), (0, 0), (0, 0), (0, made.shape[3] - x.shape[3])))
        x = np.maximum(made + x, 0)
    return x.mean((1, 2)) @ weights["fc"]
