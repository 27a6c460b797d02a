"""all-MiniLM-L6-v2: a text to a vector of length one.

The reference for what photond does in Rust: tokens without padding, each text alone, the
mean of the last hidden states over its tokens, then scaled to length one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

DIMS = 384
LENGTH = 256  # word pieces with the two special ones, the limit its authors give


class TextEncoder:
    """Remembers what it has encoded: the classes share most of their kinds."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LENGTH)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1  # sums in one order, whatever the machine
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, texts: tuple[str, ...]) -> np.ndarray:
        """float64 [texts, 384]."""
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> np.ndarray:
        if text not in self._known:
            tokens = self._tokenizer.encode(text)
            (states,) = self._session.run(
                ["last_hidden_state"],
                {
                    "input_ids": np.array([tokens.ids], np.int64),
                    "attention_mask": np.array([tokens.attention_mask], np.int64),
                    "token_type_ids": np.array([tokens.type_ids], np.int64),
                },
            )
            self._known[text] = unit(states[0].astype(np.float64).mean(axis=0))
        return self._known[text]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Each vector scaled to length one."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
