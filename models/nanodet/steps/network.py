"""NanoDet-g as a list of steps: a CSP backbone, a small feature pyramid, one head a level.

The published weights have their normalisations folded in already. In the TensorFlow.js file,
convolution N's weight is `split_N` [k, k, in, out] and its bias `unknown_M`; the numbers follow
the network from its input to its heads. The structure is that of `config/nanodet-g.yml`.
"""

from __future__ import annotations

import numpy as np
from detection.layers import Add, Concat, Conv, Double, Half, Input, MaxPool, Network, Step

# The mean and deviation of ImageNet's pixels, in the order blue, green, red.
INPUT = Input((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), "bgr")
CLASSES = 80
# Each side's distance is a distribution over 0 … BINS - 1 strides.
BINS = 11
STRIDES = (8, 16, 32)
LOGITS, DISTANCES = "logits", "distances"
# Residual pairs of each stage, and the stride of its first convolution.
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2))
# The biases of the three heads' two convolutions; all others are at twice the weight's number.
HEAD_BIASES = {28: 60, 29: 62, 30: 66, 31: 68, 32: 70, 33: 72}


def network(tensors: dict[str, np.ndarray]) -> Network:
    steps: list[Step] = []
    used = 0

    def conv(output, input, kernel=3, stride=1, activation="leaky"):
        nonlocal used
        name = f"PartitionedCall/split_{used}" if used else "PartitionedCall/split"
        weight = tensors[name].transpose(3, 2, 0, 1)
        bias = tensors[f"unknown_{HEAD_BIASES.get(used, 2 * used)}"]
        if weight.shape[-1] != kernel:
            raise ValueError(f"{name}: kernel {weight.shape[-1]}, expected {kernel}")
        steps.append(Conv(output, input, np.ascontiguousarray(weight), bias, stride, 1, activation))
        used += 1
        return output

    def concat(output, *inputs):
        steps.append(Concat(output, inputs))
        return output

    tensor = conv("stem", "image", stride=2)
    steps.append(MaxPool("pool", tensor))
    tensor, levels = "pool", []
    for stage, (pairs, stride) in enumerate(STAGES):
        first = tensor = conv(f"stage{stage}.in", tensor, stride=stride)
        for pair in range(pairs):
            name = f"stage{stage}.pair{pair}"
            half = conv(f"{name}.in", tensor)
            tensor = concat(name, conv(f"{name}.mid", half), half)
        tensor = concat(f"stage{stage}", conv(f"stage{stage}.out", tensor), first)
        levels.append(tensor)
    levels = [
        conv(f"lateral{stride}", level, kernel=1, activation="")
        for stride, level in zip(STRIDES, levels[1:], strict=True)
    ]
    # Down from the coarsest level, then up from the finest.
    for at in (1, 0):
        levels[at] = _sum(steps, Double, "down", STRIDES[at], levels[at], levels[at + 1])
    for at in (1, 2):
        levels[at] = _sum(steps, Half, "up", STRIDES[at], levels[at], levels[at - 1])
    heads = []
    for stride, level in zip(STRIDES, levels, strict=True):
        shared = conv(f"head{stride}.shared", level)
        both = conv(f"head{stride}", shared, kernel=1, activation="")
        # Logits and distances are quantised apart, so that each has a scale of its own.
        whole = steps.pop()
        if len(whole.bias) != CLASSES + 4 * BINS:
            raise ValueError(f"{both}: {len(whole.bias)} channels")
        for part, rows in ((LOGITS, slice(CLASSES)), (DISTANCES, slice(CLASSES, None))):
            name = f"{both}.{part}"
            steps.append(Conv(name, shared, whole.weight[rows], whole.bias[rows]))
            heads.append(name)
    return Network("nanodet-g", INPUT, steps, heads)


def _sum(steps, scaling, way, stride, here, there):
    scaled = f"{way}{stride}.scaled"
    steps += [scaling(scaled, there), Add(f"{way}{stride}", (here, scaled))]
    return f"{way}{stride}"
