"""`model.toml`: how a photo's and a text's vector are made, and the files they need."""

from __future__ import annotations

import blake3

from .text_encoder import DIMS, LENGTH

TOP = 10
REVISION_DIGITS = 12


def manifest(classifier: str, files: dict[str, bytes], calibration: str) -> bytes:
    """The manifest of `files`. `classifier` is `name@revision`, `calibration` a whole table.

    `revision` names the vector space and follows all that defines it, so it is never
    forgotten: vectors of another revision do not compare.
    """
    digests = {name: blake3.blake3(data).hexdigest() for name, data in files.items()}
    space = "\n".join([classifier, f"top {TOP}", f"length {LENGTH}", *digests.values()])
    revision = blake3.blake3(space.encode()).hexdigest()[:REVISION_DIGITS]
    entries = "".join(
        f'\n[files."{name}"]\nsize = {len(data)}\nblake3 = "{digests[name]}"\n'
        for name, data in files.items()
    )
    return f"""\
# Written by build.py, but for [calibration]; see README.md.
name = "lite0-minilm"
revision = "{revision}"
kind = "dual-encoder"
description = "EfficientNet-Lite0's classes in the text space of all-MiniLM-L6-v2"
dims = {DIMS}

# A photo's vector: the sum of its likeliest classes' vectors by probability, to length one.
[derived]
from = "{classifier}"
class_vectors = "class_vectors.bin"
top = {TOP}

# A text's vector: the mean over its tokens, to length one, minus the classes' centre, to length
# one. The tokenizer puts it in lower case. Longer texts than `length` the model was not made for;
# shorter ones are not padded.
[text]
file = "text_model.onnx"
tokenizer = "tokenizer.json"
ids = "input_ids"
mask = "attention_mask"
types = "token_type_ids"
output = "last_hidden_state"
pooling = "mean"
length = {LENGTH}
lowercase = false
prompt = "{{}}"

{calibration.strip()}

[licence]
weights = "Apache-2.0"
weights_text = "LICENSE-Apache-2.0.txt"
class_vectors = "WordNet-3.0"
class_vectors_text = "LICENSE-WordNet.txt"
{entries}""".encode()
