"""Writes a detector's steps as ONNX: in float, and quantised to eight bits.

Both graphs take `image`, uint8 [N, height, width, 3], RGB, sides a multiple of 32: a picture's
bytes as they lie in memory. Mean, deviation and the order of channels are folded into the first
convolution, so that quantising the input costs nothing and loses nothing. Outside the picture
the convolution then sees black, as it does below a picture that does not fill the tensor.

The quantised graph is in QDQ form, which ONNX Runtime turns into integer kernels, written out by
hand like the classifier's (`efficientnet-lite0/recipe/graph.py` says why). Weights are symmetric
per output channel, activations uint8; what scales a picture up stays in float, and so does what
comes after the heads. `Decode` says how the heads become scores and boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from .layers import Add, Concat, Conv, Double, Half, Input, MaxPool, Network, Step, Upsample

# On x86-64 without VNNI two neighbouring products are added in 16 bits with saturation. No two
# weights that meet there may add up to more than this: 255 x (127 + 2 x 0.5) < 32,768.
PAIR_MAX = 127
WEIGHT_MAX = 127
LEAK = 0.1
OPSET = 13
IR_VERSION = 8
SIDE = 32

Range = tuple[float, float]


class Writer:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.constants: dict[str, object] = {}

    def constant(self, name: str, array) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(array), name)
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


# Writes what makes the heads the graph's outputs: the writer, and the heads' float tensors.
# Returns (name, shape) of each output.
Decode = Callable[[Writer, list[str]], list[tuple[str, list]]]


def float_model(network: Network, decode: Decode | None, watch: Sequence[str] = ()) -> ModelProto:
    """The network in float; tensors in `watch` become extra outputs, for calibration."""
    writer = Writer()
    writer.node("Cast", ["image"], "image.float", to=TensorProto.FLOAT)
    writer.node("Transpose", ["image.float"], "image.planes", perm=[0, 3, 1, 2])
    for step in network.steps:
        if not isinstance(step, Conv):
            _plain(writer, step, lambda name: name, step.output)
            continue
        folded = _with_input(step, network.input)
        source = "image.planes" if step.input == "image" else step.input
        weight = writer.constant(f"{step.output}.weight", folded.weight)
        bias = writer.constant(f"{step.output}.bias", folded.bias)
        linear = linear_name(step)
        _conv(writer, step, [source, weight, bias], linear)
        if step.activation:
            _activation(writer, step.activation, linear, step.output)
    outputs = decode(writer, list(network.heads)) if decode else []
    return _model(network.name, writer, outputs, watch)


def quantised_model(network: Network, decode: Decode, ranges: dict[str, Range]) -> ModelProto:
    """The int8 network. `ranges` has (lowest, highest) of each tensor in `watched`.

    Heads without a range are made by a float convolution of the last tensor.
    """
    writer = Writer()
    quantised = _Quantised(writer)
    writer.node("Transpose", ["image"], "image.q", perm=[0, 3, 1, 2])
    quantised.dequantise("image", np.float32(1), np.uint8(0))
    # What is scaled by two is added to something else in float, and the sum is quantised.
    scaled: set[str] = set()
    floats = {head for head in network.heads if head not in ranges}

    def read(tensor: str) -> str:
        return tensor if tensor in scaled else f"{tensor}.dq"

    for step in network.steps:
        name = step.output
        match step:
            case Conv() if name in floats:
                weight = writer.constant(f"{name}.weight", step.weight)
                bias = writer.constant(f"{name}.bias", step.bias)
                _conv(writer, step, [read(step.input), weight, bias], name)
            case Conv():
                _quantised_conv(quantised, _with_input(step, network.input), ranges)
            case Half() | Double():
                _plain(writer, step, read, name)
                scaled.add(name)
            case MaxPool():
                _plain(writer, step, read, name)
                quantised.quantise(name, name, *quantised.scales[step.input])
            case _:
                _plain(writer, step, read, name)
                quantised.quantise(name, name, *_affine(*ranges[name]))
    heads = [head if head in floats else f"{head}.dq" for head in network.heads]
    return _model(f"{network.name}-int8", writer, decode(writer, heads))


class _Quantised:
    """Writes pairs of QuantizeLinear and DequantizeLinear, and knows each tensor's scale."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.scales: dict[str, tuple[np.float32, np.uint8]] = {}

    def quantise(self, tensor: str, source: str, scale: np.float32, zero: np.uint8) -> None:
        pair = self.dequantise(tensor, scale, zero)
        nodes = self.writer.nodes
        self.writer.node("QuantizeLinear", [source, *pair], f"{tensor}.q")
        nodes[-2], nodes[-1] = nodes[-1], nodes[-2]

    def dequantise(self, tensor: str, scale: np.float32, zero: np.uint8) -> list[str]:
        self.scales[tensor] = (scale, zero)
        pair = [
            self.writer.constant(f"{tensor}.scale", scale),
            self.writer.constant(f"{tensor}.zero", zero),
        ]
        self.writer.node("DequantizeLinear", [f"{tensor}.q", *pair], f"{tensor}.dq")
        return pair


def _quantised_conv(quantised: _Quantised, step: Conv, ranges: dict[str, Range]) -> None:
    writer, name = quantised.writer, step.output
    input_scale = quantised.scales[step.input][0]
    scale, weight, bias = _quantised_weights(step, input_scale)
    parts = [f"{step.input}.dq"]
    for part, array, part_scale in (("weight", weight, scale), ("bias", bias, scale * input_scale)):
        inputs = [
            writer.constant(f"{name}.{part}", array),
            writer.constant(f"{name}.{part}.scale", part_scale.astype(np.float32)),
            writer.constant(f"{name}.{part}.zero", np.zeros(len(scale), array.dtype)),
        ]
        parts.append(writer.node("DequantizeLinear", inputs, f"{name}.{part}.dq", axis=0))
    linear = linear_name(step)
    _conv(writer, step, parts, linear)
    lowest, highest = ranges[linear]
    if step.activation == "leaky":
        quantised.quantise(linear, linear, *_affine(lowest, highest))
        _activation(writer, "leaky", f"{linear}.dq", name)
        quantised.quantise(name, name, *_affine(LEAK * lowest, highest))
    else:
        # With zero point 0 quantising is the ReLU.
        low = 0.0 if step.activation == "relu" else lowest
        quantised.quantise(name, linear, *_affine(low, highest))


def linear_name(step: Conv) -> str:
    """The tensor before the activation."""
    return f"{step.output}.linear" if step.activation else step.output


def watched(network: Network) -> list[str]:
    """The tensors whose range `quantised_model` must be told."""
    return [
        linear_name(step) if isinstance(step, Conv) else step.output
        for step in network.steps
        if not isinstance(step, MaxPool | Half | Double)
    ]


def _with_input(step: Conv, facts: Input) -> Conv:
    """The first convolution with the picture's mean, deviation and channels folded in."""
    if step.input != "image":
        return step
    mean, std = (np.array(values, np.float64)[None, :, None, None] for values in facts[:2])
    weight = step.weight / std
    bias = step.bias - (weight * mean).sum(axis=(1, 2, 3))
    if facts.channels == "bgr":
        weight = weight[:, ::-1]
    weight, bias = (np.ascontiguousarray(a, np.float32) for a in (weight, bias))
    return Conv(step.output, step.input, weight, bias, step.stride, step.groups, step.activation)


def _quantised_weights(step: Conv, input_scale: np.float32):
    """Per-channel scale [out], int8 weight, int32 bias."""
    rows = step.weight.transpose(0, 2, 3, 1).reshape(len(step.weight), -1).astype(np.float64)
    scale = np.abs(rows).max(axis=1) / WEIGHT_MAX
    scale = np.maximum(scale, _largest_pair(step, rows) / PAIR_MAX)
    # A dead channel has no weights to speak of, and its bias must still fit 32 bits.
    scale = np.maximum(scale, np.abs(step.bias) / (float(input_scale) * 2**30))
    scale = np.maximum(scale, 1e-12).astype(np.float32)
    weight = np.rint(step.weight / scale[:, None, None, None]).astype(np.int8)
    bias = np.rint(step.bias / (scale.astype(np.float64) * float(input_scale)))
    return scale, weight, bias.astype(np.int32)


def _largest_pair(step: Conv, rows: np.ndarray) -> np.ndarray:
    """Per channel, the largest sum of two weights of one sign that meet in 16 bits.

    The kernel lays a window out place by place and channel by channel, so that channels 0 and 1,
    2 and 3 and so on of one place meet; with the picture's three channels any two may.
    Depthwise kernels add in 32 bits.
    """
    if step.groups > 1:
        return np.zeros(len(rows))
    signs = np.stack([np.maximum(rows, 0), np.maximum(-rows, 0)])
    if step.weight.shape[1] % 2:
        return np.sort(signs, axis=2)[:, :, -2:].sum(axis=2).max(axis=0)
    return (signs[:, :, 0::2] + signs[:, :, 1::2]).max(axis=(0, 2))


def _affine(lowest: float, highest: float):
    """uint8 scale and zero point that cover the range, with 0.0 exact."""
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    scale = np.float32((highest - lowest) / 255)
    return scale, np.uint8(np.clip(np.rint(-lowest / scale), 0, 255))


def _conv(writer: Writer, step: Conv, inputs: list[str], output: str) -> None:
    writer.node(
        "Conv", inputs, output, kernel_shape=[step.kernel] * 2, strides=[step.stride] * 2,
        pads=[step.kernel // 2] * 4, group=step.groups,
    )  # fmt: skip


def _activation(writer: Writer, kind: str, source: str, output: str) -> None:
    if kind == "leaky":
        writer.node("LeakyRelu", [source], output, alpha=LEAK)
    else:
        writer.node("Relu", [source], output)


def _plain(writer: Writer, step: Step, name: Callable[[str], str], output: str) -> None:
    """A step without quantised weights; `name` says what a tensor is called in this graph."""
    match step:
        case Add(_, inputs):
            writer.node("Add", map(name, inputs), output)
        case Concat(_, inputs):
            writer.node("Concat", map(name, inputs), output, axis=1)
        case MaxPool(_, source):
            writer.node(
                "MaxPool", [name(source)], output,
                kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
            )  # fmt: skip
        case Half(_, source):
            writer.node("AveragePool", [name(source)], output, kernel_shape=[2, 2], strides=[2, 2])
        case Double(_, source):
            twice = writer.constant("twice", np.array([1, 1, 2, 2], np.float32))
            writer.node(
                "Resize", [name(source), "", twice], output,
                mode="linear", coordinate_transformation_mode="half_pixel",
            )  # fmt: skip
        case Upsample(_, source, weight, bias):
            inputs = [
                name(source),
                writer.constant(f"{step.output}.weight", weight),
                writer.constant(f"{step.output}.bias", bias),
            ]
            linear = f"{step.output}.linear"
            writer.node("ConvTranspose", inputs, linear, kernel_shape=[2, 2], strides=[2, 2])
            writer.node("Relu", [linear], output)


def _model(name: str, writer: Writer, outputs, watch: Sequence[str] = ()) -> ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs]
    infos += [helper.make_tensor_value_info(w, TensorProto.FLOAT, [None] * 4) for w in watch]
    model = helper.make_model(
        helper.make_graph(writer.nodes, name, [image], infos, list(writer.constants.values())),
        producer_name="photond",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model)
    return model
