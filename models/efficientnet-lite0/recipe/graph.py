"""Writes the network's steps as ONNX: in float, and quantised to eight bits.

The quantised graph is in QDQ form: every weight and activation passes through a
QuantizeLinear/DequantizeLinear pair, and ONNX Runtime fuses the pairs and what is
between them into integer kernels. It is written out here by hand rather than by
`onnxruntime.quantization`, because three facts about this network make it better:

* The input needs no calibration. Pixels are `(x - 127) / 128` with whole x, so scale
  1/128 and zero point 127 give back the very pixel.
* ReLU6 needs none either, and no node: quantising with scale 6/255 and zero point 0
  saturates at 0 and at 6. Only the outputs of the linear projections and the residual
  sums have ranges that must be measured.
* The bytes are a function of the weights and those few ranges, nothing else.

Weights are symmetric per output channel. Biases are int32 with scale (input scale x
weight scale), as the integer kernels want.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from .network import DIMS, SIZE, Add, Conv

# On x86-64 without VNNI (before about 2019) the integer kernel adds two neighbouring
# products in 16 bits, and 255 x 127 twice does not fit: it saturates, and embeddings go
# astray (cosine 0.75 to the right one, see the README). So a channel's scale also sees
# to it that no two neighbouring weights of one sign add up to more than this. Few do,
# so it costs nearly nothing, unlike seven-bit weights; and every machine then computes
# the same. 255 x (127 + 2 x 0.5 of rounding) = 32,640 < 32,768.
PAIR_MAX = 127
WEIGHT_MAX = 127
OPSET = 13  # the first with per-channel QuantizeLinear; ONNX Runtime 1.17 knows 20
IR_VERSION = 8


def float_model(network: list[Conv | Add], watch: list[str] = ()) -> ModelProto:
    """The float encoder; tensors in `watch` become extra outputs, for calibration."""
    nodes, weights = [], []
    for step in network:
        if isinstance(step, Add):
            nodes.append(helper.make_node("Add", [step.left, step.right], [step.output]))
            continue
        weights += [
            numpy_helper.from_array(step.weight, f"{step.output}.weight"),
            numpy_helper.from_array(step.bias, f"{step.output}.bias"),
        ]
        linear = f"{step.output}.linear" if step.relu6 else step.output
        nodes.append(_conv(step, step.input, weights[-2].name, weights[-1].name, linear))
        if step.relu6:
            nodes.append(helper.make_node("Clip", [linear, "zero", "six"], [step.output]))
    weights += [
        numpy_helper.from_array(np.float32(0), "zero"),
        numpy_helper.from_array(np.float32(6), "six"),
    ]
    return _model("efficientnet-lite0", nodes + _pooling("features"), weights, watch)


def quantised_model(
    network: list[Conv | Add], ranges: dict[str, tuple[float, float]]
) -> ModelProto:
    """The int8 encoder. `ranges` has (lowest, highest) of each linear tensor."""
    nodes, weights = [], []
    scales: dict[str, np.float32] = {}

    def constant(name, array):
        weights.append(numpy_helper.from_array(array, name))
        return name

    def quantise(tensor, scale, zero_point, source):
        scales[tensor] = scale
        pair = [constant(f"{tensor}.scale", scale), constant(f"{tensor}.zero", zero_point)]
        nodes.append(helper.make_node("QuantizeLinear", [source, *pair], [f"{tensor}.q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{tensor}.q", *pair], [f"{tensor}.dq"]))

    quantise("image", np.float32(1 / 128), np.uint8(127), "image")
    for step in network:
        if isinstance(step, Add):
            inputs = [f"{step.left}.dq", f"{step.right}.dq"]
            nodes.append(helper.make_node("Add", inputs, [step.output]))
            quantise(step.output, *_affine(*ranges[step.output]), step.output)
            continue
        scale, weight, bias = _quantised_weights(step, scales[step.input])
        name = step.output
        for part, array, part_scale in (
            ("weight", weight, scale),
            ("bias", bias, scale * scales[step.input]),
        ):
            inputs = [
                constant(f"{name}.{part}", array),
                constant(f"{name}.{part}.scale", part_scale.astype(np.float32)),
                constant(f"{name}.{part}.zero", np.zeros(len(scale), array.dtype)),
            ]
            nodes.append(
                helper.make_node("DequantizeLinear", inputs, [f"{name}.{part}.dq"], axis=0)
            )
        nodes.append(_conv(step, f"{step.input}.dq", f"{name}.weight.dq", f"{name}.bias.dq", name))
        if step.relu6:
            quantise(name, np.float32(6 / 255), np.uint8(0), name)
        else:
            quantise(name, *_affine(*ranges[name]), name)
    return _model("efficientnet-lite0-int8", nodes + _pooling("features.dq"), weights)


def linear_tensors(network: list[Conv | Add]) -> list[str]:
    """The tensors whose range `quantised_model` must be told."""
    return [s.output for s in network if isinstance(s, Add) or not s.relu6]


def _quantised_weights(step: Conv, input_scale: np.float32):
    """Per-channel scale [out], int8 weight, int32 bias."""
    rows = step.weight.reshape(len(step.weight), -1).astype(np.float64)
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

    A 1x1 kernel pairs input channels 0 and 1, 2 and 3, and so on. The stem's pairs
    depend on how the kernel lays out its window, so there any two may meet.
    Depthwise kernels add in 32 bits.
    """
    if step.groups > 1:
        return np.zeros(len(rows))
    signs = np.stack([np.maximum(rows, 0), np.maximum(-rows, 0)])
    if step.kernel > 1:
        return np.sort(signs, axis=2)[:, :, -2:].sum(axis=2).max(axis=0)
    if rows.shape[1] % 2:
        raise ValueError(f"{step.output}: an odd number of input channels")
    return (signs[:, :, 0::2] + signs[:, :, 1::2]).max(axis=(0, 2))


def _affine(lowest: float, highest: float):
    """uint8 scale and zero point that cover the range, with 0.0 exact."""
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    scale = np.float32((highest - lowest) / 255)
    return scale, np.uint8(np.clip(np.rint(-lowest / scale), 0, 255))


def _conv(step: Conv, input, weight, bias, output):
    return helper.make_node(
        "Conv", [input, weight, bias], [output],
        kernel_shape=[step.kernel] * 2, strides=[step.stride] * 2,
        pads=step.pads, group=step.groups,
    )  # fmt: skip


def _pooling(features: str):
    return [
        helper.make_node("GlobalAveragePool", [features], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"], axis=1),
    ]


def _model(name, nodes, weights, watch=()) -> ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", DIMS])]
    outputs += [helper.make_tensor_value_info(w, TensorProto.FLOAT, [None] * 4) for w in watch]
    model = helper.make_model(
        helper.make_graph(nodes, name, [image], outputs, weights),
        producer_name="photond",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model)
    return model
