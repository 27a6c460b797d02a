"""EfficientNet-Lite0 without its last layer, as a plain list of steps.

The published weights name their layers `_conv_stem`, `_blocks.N._expand_conv` and
so on. This module folds each batch normalisation into the convolution before it,
which changes nothing but the cost, and writes the network down as `Conv` and `Add`
steps over named tensors. `graph` turns that list into ONNX, once in float and once
quantised, so that both are the same network by construction.

Lite0 differs from EfficientNet-B0: ReLU6 instead of swish and no squeeze-excitation,
both for the sake of integer arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZE = 224
DIMS = 1280
CLASSES = 1000
# The published network's batch normalisation constant (TensorFlow's default is 1e-3).
EPSILON = 1e-3

# (kernel, stride of the first block, output channels, repeats), from the EfficientNet
# paper's table 1 (Tan and Le, 2019). Expansion is 1 in the first stage, else 6.
STAGES = (
    (3, 1, 16, 1),
    (3, 2, 24, 2),
    (5, 2, 40, 2),
    (3, 2, 80, 3),
    (5, 1, 112, 3),
    (5, 2, 192, 4),
    (3, 1, 320, 1),
)


@dataclass(frozen=True)
class Conv:
    """Convolution with bias, then ReLU6 if `relu6`. Weight is [out, in/groups, k, k]."""

    output: str
    input: str
    weight: np.ndarray
    bias: np.ndarray
    stride: int
    groups: int
    relu6: bool

    @property
    def kernel(self) -> int:
        return self.weight.shape[2]

    @property
    def pads(self) -> list[int]:
        """TensorFlow's SAME padding: top, left, bottom, right.

        At stride 2 on an even input the odd pixel of padding goes to the bottom
        and the right. Every stride-2 input here is even (224, 112, 56, 28, 14).
        """
        before = (self.kernel - self.stride) // 2
        after = self.kernel - self.stride - before
        return [before, before, after, after]


@dataclass(frozen=True)
class Add:
    """The residual connection of a block that keeps its shape."""

    output: str
    left: str
    right: str


def steps(state: dict[str, np.ndarray]) -> list[Conv | Add]:
    """The network from tensor `image` to tensor `features` [N, 1280, 7, 7]."""
    network: list[Conv | Add] = []

    def conv(output, input, layer, norm, stride=1, groups=1, relu6=True):
        weight, bias = _folded(state, layer, norm)
        network.append(Conv(output, input, weight, bias, stride, groups, relu6))
        return output

    tensor = conv("stem", "image", "_conv_stem", "_bn0", stride=2)
    channels, block = 32, 0
    for kernel, first_stride, out_channels, repeats in STAGES:
        for repeat in range(repeats):
            key, name = f"_blocks.{block}", f"block{block}"
            stride = first_stride if repeat == 0 else 1
            start, wide = tensor, channels
            if block > 0:
                wide = 6 * channels
                tensor = conv(f"{name}.expand", tensor, f"{key}._expand_conv", f"{key}._bn0")
            tensor = conv(
                f"{name}.depthwise", tensor, f"{key}._depthwise_conv", f"{key}._bn1",
                stride=stride, groups=wide,
            )  # fmt: skip
            if network[-1].kernel != kernel:
                raise ValueError(f"{key}: kernel {network[-1].kernel}, expected {kernel}")
            tensor = conv(
                f"{name}.project", tensor, f"{key}._project_conv", f"{key}._bn2", relu6=False
            )
            if stride == 1 and channels == out_channels:
                network.append(Add(f"{name}.sum", start, tensor))
                tensor = f"{name}.sum"
            channels = out_channels
            block += 1
    conv("features", tensor, "_conv_head", "_bn1")
    return network


def _folded(state, layer, norm):
    """A convolution's weight and bias with the normalisation after it folded in."""
    weight = state[f"{layer}.weight"].astype(np.float64)
    gain = state[f"{norm}.weight"] / np.sqrt(
        state[f"{norm}.running_var"].astype(np.float64) + EPSILON
    )
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
    return (weight * gain[:, None, None, None]).astype(np.float32), bias.astype(np.float32)
