"""`model.toml`: what is in the pack, how to feed it and how to know it is whole."""

from __future__ import annotations

import blake3

from .network import CLASSES, DIMS, SIZE
from .preprocess import CROP, MEAN, STD

REVISION_DIGITS = 12
# Most pictures in one run: more gain nothing on a CPU, and cost memory.
BATCH = 8
# Fitted by `build.py --calibrate` (see calibrate.py), less its SHRINK: log odds of a class's, a
# kind's and an everyday concept's evidence into log odds of being right, slope and constant.
CALIBRATION = """\
kind = "softmax"
temperature = 1.2
classes = [0.95, 1.35]
kinds = [1.9, 2.4]
concepts = [2.0, 3.25]
"""


def manifest(files: dict[str, bytes]) -> bytes:
    """The manifest of `files`. Revisions follow the content, so none is ever forgotten.

    `revision` names the embedding space: embeddings of another revision do not compare.
    `label_revision` names what turns an embedding into tags.
    """
    digests = {name: blake3.blake3(data).hexdigest() for name, data in files.items()}
    labels = ("head.bin", "vocabulary.tsv", "concepts.tsv", "classes.tsv")
    label_facts = "".join(digests[name] for name in labels) + CALIBRATION
    label_digest = blake3.blake3(label_facts.encode()).hexdigest()
    entries = "".join(
        f'\n[files."{name}"]\nsize = {len(data)}\nblake3 = "{digests[name]}"\n'
        for name, data in files.items()
    )
    return f"""\
# Written by build.py; see README.md.
name = "efficientnet-lite0"
revision = "{digests["encoder.onnx"][:REVISION_DIGITS]}"
label_revision = "{label_digest[:REVISION_DIGITS]}"
kind = "classifier"
description = "EfficientNet-Lite0, ImageNet-1k, int8"
dims = {DIMS}
rows = {CLASSES}

# From float32 [N, 3, size, size] (RGB, channels first, any N) to float32 [N, dims] (globally
# pooled, after ReLU6, not normalised). The picture is the centre square of `crop` of the shorter
# side, bicubic; each value is (pixel - mean) / std with pixels 0 to 255.
[image]
file = "encoder.onnx"
tensor = "image"
output = "embedding"
size = {SIZE}
fit = "center-crop"
crop = {CROP}
mean = [{MEAN}, {MEAN}, {MEAN}]
std = [{STD}, {STD}, {STD}]
batch = {BATCH}

[calibration]
{CALIBRATION}
[roles]
image_encoder = "encoder.onnx"
label_bank = "head.bin"
vocabulary = "vocabulary.tsv"
concepts = "concepts.tsv"
classes = "classes.tsv"

[licence]
weights = "Apache-2.0"
weights_text = "LICENSE-Apache-2.0.txt"
vocabulary = "WordNet-3.0"
vocabulary_text = "LICENSE-WordNet.txt"
{entries}""".encode()
