"""dlib's ResNet as an ONNX graph whose weights stay in the published file.

The graph names, for each tensor, where in `face_recognition_model.bin` it begins and how long it is; bytes
become floats in the graph, once, when a runtime folds what is constant.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from .weights import FILE, Tensor

SIDE = 150
DIMS = 128
MEAN = (122.782, 117.001, 104.298)
# Name of a block; whether it halves the picture.
BLOCKS = (
    ("conv32_1", False), ("conv32_2", False), ("conv32_3", False),
    ("conv64_down", True), ("conv64_1", False), ("conv64_2", False), ("conv64_3", False),
    ("conv128_down", True), ("conv128_1", False), ("conv128_2", False),
    ("conv256_down", True), ("conv256_1", False), ("conv256_2", False),
    ("conv256_down_out", True),
)  # fmt: skip


class Writer:
    """A graph under construction."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self.nodes: list = []
        self.initializers: list[TensorProto] = []

    def node(self, kind: str, inputs: Iterable[str], name: str, **attributes) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def constant(self, name: str, value) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(self, name: str, order: tuple[int, ...] = (), shape: tuple[int, ...] = ()) -> str:
        """One of the file's tensors as floats, its axes put in `order`, then given a `shape`."""
        tensor = self.tensors[name]
        stored = TensorProto(
            name=name if not tensor.is_bytes else f"{name}.bytes",
            data_type=TensorProto.UINT8 if tensor.is_bytes else TensorProto.FLOAT,
            dims=tensor.shape,
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in (
            ("location", FILE), ("offset", tensor.offset), ("length", tensor.length),
        ):  # fmt: skip
            stored.external_data.add(key=key, value=str(value))
        self.initializers.append(stored)
        made = stored.name
        if tensor.is_bytes:
            made = self.node("Cast", [made], f"{name}.floats", to=TensorProto.FLOAT)
            scale = self.constant(f"{name}.scale", np.float32(tensor.scale))
            least = self.constant(f"{name}.min", np.float32(tensor.least))
            made = self.node("Mul", [made, scale], f"{name}.scaled")
            made = self.node("Add", [made, least], f"{name}.values")
        if order:
            made = self.node("Transpose", [made], f"{name}.ordered", perm=order)
        if shape:
            sides = self.constant(f"{name}.shape", np.array(shape, np.int64))
            made = self.node("Reshape", [made, sides], f"{name}.shaped")
        return made

    def conv(self, image: str, name: str, stride: int, pad: int) -> str:
        """A convolution with what dlib calls its affine layer after it."""
        filters = self.weight(f"{name}/conv/filters", order=(3, 2, 0, 1))
        bias = self.weight(f"{name}/conv/bias")
        made = self.node(
            "Conv", [image, filters, bias], f"{name}.conv", strides=[stride] * 2, pads=[pad] * 4
        )
        factor = self.weight(f"{name}/scale/weights", shape=(-1, 1, 1))
        shift = self.weight(f"{name}/scale/biases", shape=(-1, 1, 1))
        made = self.node("Mul", [made, factor], f"{name}.gain")
        return self.node("Add", [made, shift], f"{name}.shift")

    def block(self, image: str, name: str, down: bool, side: int, channels: int) -> tuple:
        """A residual block: its output, side and channels."""
        made = self.conv(image, f"{name}/conv1", 2 if down else 1, 0 if down else 1)
        made = self.node("Relu", [made], f"{name}.between")
        made = self.conv(made, f"{name}/conv2", 1, 1)
        if down:
            image = self.node(
                "AveragePool", [image], f"{name}.pool", kernel_shape=[2, 2], strides=[2, 2]
            )
            after, pooled = (side - 3) // 2 + 1, (side - 2) // 2 + 1
            wider = self.tensors[f"{name}/conv1/conv/filters"].shape[3]
            # What is smaller than the other is filled up with zeros: rows and columns of the
            # one at the end, channels of the other.
            made = self.padded(made, f"{name}.filled", 0, pooled - after)
            image = self.padded(image, f"{name}.widened", wider - channels, 0)
            side, channels = pooled, wider
        made = self.node("Add", [made, image], f"{name}.sum")
        return self.node("Relu", [made], f"{name}.out"), side, channels

    def padded(self, image: str, name: str, channels: int, sides: int) -> str:
        if channels == 0 and sides == 0:
            return image
        ends = np.array([0, 0, 0, 0, 0, channels, sides, sides], np.int64)
        return self.node("Pad", [image, self.constant(f"{name}.ends", ends)], name)


def model(tensors: dict[str, Tensor]) -> ModelProto:
    """From uint8 [N, 150, 150, 3] (RGB) to float32 [N, 128]."""
    writer = Writer(tensors)
    floats = writer.node("Cast", ["image"], "image.floats", to=TensorProto.FLOAT)
    mean = writer.constant("mean", np.array(MEAN, np.float32))
    floats = writer.node("Sub", [floats, mean], "image.centred")
    full = writer.constant("full", np.float32(255))
    floats = writer.node("Div", [floats, full], "image.scaled")
    made = writer.node("Transpose", [floats], "image.planes", perm=(0, 3, 1, 2))
    made = writer.node("Relu", [writer.conv(made, "conv32_down", 2, 0)], "conv32_down.out")
    made = writer.node("MaxPool", [made], "pool", kernel_shape=[3, 3], strides=[2, 2])
    side, channels = ((SIDE - 7) // 2 + 1 - 3) // 2 + 1, 32
    for name, down in BLOCKS:
        made, side, channels = writer.block(made, name, down, side, channels)
    made = writer.node("GlobalAveragePool", [made], "mean.planes")
    made = writer.node("Flatten", [made], "mean.flat")
    writer.node("MatMul", [made, writer.weight("fc")], "vector")
    graph = helper.make_graph(
        writer.nodes,
        "dlib-face",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["N", DIMS])],
        writer.initializers,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="photond"
    )
