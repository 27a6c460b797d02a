"""A detector's network as a plain list of steps over named tensors.

Each pack's `steps/network.py` writes its network down with these, normalisations already folded
in; `graph` turns the list into ONNX, once in float and once quantised, so that both are the same
network by construction. All tensors are [N, channels, height, width].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Conv:
    """Convolution with bias, then `activation`. Weight is [out, in / groups, k, k]."""

    output: str
    input: str
    weight: np.ndarray
    bias: np.ndarray
    stride: int = 1
    groups: int = 1
    # "" for none, "relu", or "leaky" (a tenth of what is below zero).
    activation: str = ""

    @property
    def kernel(self) -> int:
        return self.weight.shape[-1]


@dataclass(frozen=True)
class Upsample:
    """Twice as wide and high by a transposed convolution of kernel 2 and stride 2, then ReLU.

    Weight is [in, out, 2, 2].
    """

    output: str
    input: str
    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Add:
    output: str
    inputs: tuple[str, str]


@dataclass(frozen=True)
class Concat:
    output: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class MaxPool:
    """Kernel 3, stride 2, one row of padding all around."""

    output: str
    input: str


@dataclass(frozen=True)
class Half:
    """Half as wide and high: the mean of four neighbours, which is bilinear scaling by a half."""

    output: str
    input: str


@dataclass(frozen=True)
class Double:
    """Twice as wide and high, bilinear, corners not aligned."""

    output: str
    input: str


Step = Conv | Upsample | Add | Concat | MaxPool | Half | Double


class Input(NamedTuple):
    """Pixels become (pixel - mean) / std, channel by channel in the order the network wants."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    # "rgb" or "bgr"
    channels: str


class Network(NamedTuple):
    name: str
    input: Input
    steps: list[Step]
    # The tensors that the pack's `steps/decode.py` makes scores and boxes of.
    heads: list[str]
