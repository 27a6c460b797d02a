"""CenterFace as a list of steps, read from the published ONNX file.

A MobileNetV2 whose levels are added up from the coarsest to the finest; one head at a quarter of
the input's size. All normalisations but three are folded into the published weights; those after
the transposed convolutions are folded here.
"""

from __future__ import annotations

import numpy as np
from detection.layers import Add, Conv, Input, Network, Step, Upsample
from onnx import ModelProto, numpy_helper

INPUT = Input((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "rgb")
STRIDE = 4
# The published file's outputs: how sure, log of height and width, offset down and right, and
# five points (down, right) each.
HEADS = ("537", "538", "539", "540")


def network(model: ModelProto) -> Network:
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    steps: list[Step] = []
    # What a tensor of the file is called here: activations and normalisations have no step.
    names = {model.graph.input[0].name: "image"}
    heads = {}
    nodes = list(model.graph.node)
    reader = {node.input[0]: node for node in nodes}
    for node in nodes:
        output = node.output[0]
        if node.op_type in ("Relu", "BatchNormalization"):
            names[output] = names[node.input[0]]
            continue
        if node.op_type == "Sigmoid":
            heads[output] = names[node.input[0]]
            continue
        name = names[output] = f"t{output}"
        inputs = [names[tensor] for tensor in node.input if tensor in names]
        if node.op_type == "Add":
            steps.append(Add(name, tuple(inputs)))
        elif node.op_type == "Conv":
            attributes = {a.name: a.ints or a.i for a in node.attribute}
            weight, bias = (weights[tensor] for tensor in node.input[1:])
            follows = reader.get(output)
            activation = "relu" if follows and follows.op_type == "Relu" else ""
            if list(attributes["pads"]) != [weight.shape[-1] // 2] * 4:
                raise ValueError(f"{output}: unexpected padding")
            stride, groups = attributes["strides"][0], attributes["group"]
            steps.append(Conv(name, inputs[0], weight, bias, stride, groups, activation))
        elif node.op_type == "ConvTranspose":
            weight, bias = _folded(weights, node, reader[output])
            steps.append(Upsample(name, inputs[0], weight, bias))
        else:
            raise ValueError(f"unexpected {node.op_type} in the published network")
    heads |= {head: names[head] for head in HEADS if head in names}
    return Network("centerface", INPUT, steps, [heads[head] for head in HEADS])


def _folded(weights, node, norm):
    """A transposed convolution's weight and bias with the normalisation after it folded in."""
    if norm.op_type != "BatchNormalization":
        raise ValueError(f"{node.output[0]}: no normalisation after it")
    gain, shift, mean, variance = (weights[tensor].astype(np.float64) for tensor in norm.input[1:])
    epsilon = next(a.f for a in norm.attribute if a.name == "epsilon")
    gain = gain / np.sqrt(variance + epsilon)
    weight = weights[node.input[1]].astype(np.float64) * gain[None, :, None, None]
    return weight.astype(np.float32), (shift - mean * gain).astype(np.float32)
