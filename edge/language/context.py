"""One GGUF in llama.cpp and the memory of its sequences: tokens or embedding rows in, logits out.

Each sequence has a memory of its own, so what one holds or forgets does not change a bit of what
another computes. One thread at a time.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import LanguageError
from edge.fetch import sha256_of
from edge.language.kernels import Kernels
from edge.language.library import last_complaint, load, named_kernel
from edge.language.model import LanguageModel, ModelLimits

Rows = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float32]

_LARGEST_BATCH = 512


class NotFiniteError(LanguageError):
    """The logits are not numbers: the kernels are at fault, or the rows are far out of range."""


class Context:
    """A language model with ``sequences`` independent memories of ``limits.context_tokens`` each.

    Args:
        model: the file, its hash and how embeddings enter it.
        limits: threads and room.
        sequences: how many memories.
        kernel: the library of the variant that computes; None takes this process's, and for the first
            one in a process the best that proves right.

    Raises:
        LanguageError: the file is not the expected one, is no GGUF, or does not fit its description.
    """

    def __init__(
        self, model: LanguageModel, limits: ModelLimits, sequences: int = 1, kernel: Path | None = None
    ) -> None:
        _check_file(model)
        kernel = kernel or named_kernel() or Kernels(model, limits).choose().library
        self._llama = load(limits.wait_policy, kernel)
        self._scale = np.float32(model.embedding_scale)
        self._model = self._load(model)
        self._context: Any = None
        try:
            self.width = int(self._llama.llama_model_n_embd_inp(self._model))
            self._check_description(model)
            self._vocabulary = self._llama.llama_model_get_vocab(self._model)
            self.vocabulary_size = int(self._llama.llama_vocab_n_tokens(self._vocabulary))
            self._batch_size = min(limits.context_tokens, _LARGEST_BATCH)
            self._context = self._open(limits, sequences)
        except BaseException:
            self.close()
            raise
        self._memory = self._llama.llama_get_memory(self._context)
        self.room = int(self._llama.llama_n_ctx_seq(self._context))

    def tokens(self, text: str, markup: bool = False) -> list[int]:
        """The token numbers of a text.

        Args:
            text: any text.
            markup: whether strings such as ``<|im_end|>`` are the model's control tokens. Never for
                text that a person typed.
        """
        data = text.encode("utf-8", "replace")  # an argument that is no UTF-8 comes with lone surrogates
        size = len(data) + 1
        buffer = (ctypes.c_int32 * size)()
        count = self._llama.llama_tokenize(self._vocabulary, data, len(data), buffer, size, False, markup)
        if count < 0:
            raise LanguageError(f"A text of {len(data)} bytes cannot be split into tokens.")
        return list(buffer[:count])

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for: a character may need several tokens. Empty for markup."""
        buffer = ctypes.create_string_buffer(512)
        count = self._llama.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, False)
        return bytes(buffer.raw[: max(count, 0)])

    def is_end(self, token: int) -> bool:
        """Whether the model ends its turn with this token."""
        return bool(self._llama.llama_vocab_is_eog(self._vocabulary, token))

    def feed_tokens(self, sequence: int, tokens: Sequence[int]) -> Logits:
        """Appends tokens to a sequence.

        Returns:
            The logits after the last one: float32 (vocabulary_size,), a copy.

        Raises:
            LanguageError: no token, no room, or llama.cpp fails.
        """
        ids = np.asarray(tokens, dtype=np.int32)
        if ids.ndim != 1 or ids.size == 0:
            raise LanguageError("There are no tokens to read.")
        if ids.min() < 0 or ids.max() >= self.vocabulary_size:
            raise LanguageError(f"A token number is outside 0 to {self.vocabulary_size - 1}.")
        self._feed(sequence, ids, wants_logits=True)
        return self._logits()

    def feed_rows(self, sequence: int, rows: Rows) -> None:
        """Appends embedding rows to a sequence, in the place of tokens.

        Args:
            sequence: which.
            rows: float32 (rows, width), on the scale of the token embeddings in the file.

        Raises:
            LanguageError: wrong width, numbers that are not finite, no room, or llama.cpp fails.
        """
        self.check_rows(rows)
        scaled = np.ascontiguousarray(rows, dtype=np.float32) * self._scale
        self._feed(sequence, scaled, wants_logits=False)

    def check_rows(self, rows: Rows) -> None:
        """Raises LanguageError where rows are of another width or hold numbers that are not finite."""
        if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] != self.width:
            raise LanguageError(
                f"Embedding rows have shape {rows.shape}, expected (rows, {self.width}).",
                "The vision graph and the language model come from different bundles.",
            )
        if not np.isfinite(rows).all():
            raise LanguageError("Embedding rows contain numbers that are not finite.")

    def copy(self, source: int, target: int) -> None:
        """Makes ``target`` hold what ``source`` holds, and nothing else."""
        self.forget(target)
        self._llama.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def forget(self, sequence: int) -> None:
        """Empties a sequence."""
        self._llama.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def length(self, sequence: int) -> int:
        """How many tokens and rows a sequence holds."""
        return int(self._llama.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def require_room(self, sequence: int, count: int) -> None:
        """Raises LanguageError where ``count`` more tokens or rows do not fit."""
        held = self.length(sequence)
        if held + count > self.room:
            raise LanguageError(
                f"The dialogue is full: {held} of {self.room} tokens are used and {count} more are needed.",
                "Start a new dialogue about the part, or raise context_tokens.",
            )

    def close(self) -> None:
        """Frees the model and all memories; may be called twice."""
        if self._context is not None:
            self._llama.llama_free(self._context)
            self._context = None
        if self._model is not None:
            self._llama.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Context:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, model: LanguageModel) -> Any:
        parameters = self._llama.llama_model_default_params()
        parameters.n_gpu_layers = 0
        last_complaint()
        handle = self._llama.llama_model_load_from_file(os.fsencode(model.gguf), parameters)
        if not handle:
            raise LanguageError(f"llama.cpp cannot read {model.gguf}{last_complaint()}.")
        return handle

    def _check_description(self, model: LanguageModel) -> None:
        buffer = ctypes.create_string_buffer(128)
        self._llama.llama_model_meta_val_str(self._model, b"general.architecture", buffer, len(buffer))
        found = (buffer.value.decode("utf-8", "replace"), self.width)
        expected = (model.architecture, model.embedding_width)
        if found != expected:
            raise LanguageError(
                f"{model.gguf.name} is {found[0]} with embeddings of width {found[1]}, the bundle says "
                f"{expected[0]} with {expected[1]}.",
                "Build the bundle again.",
            )

    def _open(self, limits: ModelLimits, sequences: int) -> Any:
        parameters = self._llama.llama_context_default_params()
        # A memory for each sequence, not one in common: sums over a common one would depend on where in
        # it the other sequences lie, and the same part would not give the same bits twice.
        parameters.kv_unified = False
        parameters.n_seq_max = sequences
        parameters.n_ctx = limits.context_tokens * sequences
        parameters.n_batch = parameters.n_ubatch = self._batch_size
        parameters.n_outputs_max = sequences  # The fewest that it takes; one is used at a time.
        parameters.n_threads = parameters.n_threads_batch = limits.own_threads
        # Sliding windows forget positions, and then a copied prefix could not be continued.
        parameters.swa_full = True
        last_complaint()
        context = self._llama.llama_init_from_model(self._model, parameters)
        if not context:
            raise LanguageError(
                f"llama.cpp cannot open {sequences} sequences of {limits.context_tokens} tokens"
                f"{last_complaint()}.",
                "Lower context_tokens or dialogues.",
            )
        return context

    def _feed(self, sequence: int, items: npt.NDArray[Any], wants_logits: bool) -> None:
        """Appends tokens, int32 (count,), or rows, float32 (count, width)."""
        self.require_room(sequence, len(items))
        start = self.length(sequence)
        for first in range(0, len(items), self._batch_size):
            part = items[first : first + self._batch_size]
            is_last = first + len(part) == len(items)
            batch, arrays = self._batch(sequence, start + first, part, wants_logits and is_last)
            last_complaint()
            status = self._llama.llama_decode(self._context, batch)
            del arrays
            if status != 0:
                raise LanguageError(f"llama.cpp failed with status {status}{last_complaint()}.")

    def _batch(
        self, sequence: int, position: int, items: npt.NDArray[Any], wants_logits: bool
    ) -> tuple[Any, object]:
        """A batch that points into arrays, and the arrays, which must live as long as it does."""
        count = len(items)
        positions = np.arange(position, position + count, dtype=np.int32)
        members = np.ones(count, dtype=np.int32)
        number = ctypes.c_int32(sequence)
        numbers = (ctypes.POINTER(ctypes.c_int32) * count)(*[ctypes.pointer(number)] * count)
        outputs = np.zeros(count, dtype=np.int8)
        outputs[-1] = wants_logits
        is_rows = items.ndim == 2
        batch = self._llama.llama_batch(
            n_tokens=count,
            token=None if is_rows else _pointer(items, ctypes.c_int32),
            embd=_pointer(items, ctypes.c_float) if is_rows else None,
            pos=_pointer(positions, ctypes.c_int32),
            n_seq_id=_pointer(members, ctypes.c_int32),
            seq_id=ctypes.cast(numbers, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=_pointer(outputs, ctypes.c_int8),
        )
        return batch, (items, positions, members, number, numbers, outputs)

    def _logits(self) -> Logits:
        pointer = self._llama.llama_get_logits_ith(self._context, -1)
        if not pointer:
            raise LanguageError("llama.cpp gave no logits.")
        logits: Logits = np.ctypeslib.as_array(pointer, shape=(self.vocabulary_size,)).copy()
        if not np.isfinite(logits).all():
            raise NotFiniteError("The language model's logits are not finite.")
        return logits


def _check_file(model: LanguageModel) -> None:
    try:
        found = sha256_of(model.gguf)
    except OSError as error:
        raise LanguageError(f"Cannot read {model.gguf}: {error.strerror or error}.") from error
    if found != model.sha256:
        raise LanguageError(
            f"{model.gguf} has sha256 {found}, the bundle says {model.sha256}.",
            "Prompts are trained on one exact file: build or copy the bundle again.",
        )


def _pointer(array: npt.NDArray[Any], kind: type[Any]) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
