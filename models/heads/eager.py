"""The operators of :mod:`models.heads.definition` on torch's tensors, so that they can be trained through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from edge.image_types import Array

_PLAIN: dict[str, Callable[..., torch.Tensor]] = {
    "Abs": torch.abs,
    "Add": torch.add,
    "Clip": torch.clamp,
    "Div": torch.div,
    "Log": torch.log,
    "MatMul": torch.matmul,
    "Max": torch.maximum,
    "Mul": torch.mul,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Sqrt": torch.sqrt,
    "Sub": torch.sub,
    "Tanh": torch.tanh,
}


class EagerOperators:
    """See :class:`models.heads.definition.Operators`; values are tensors with a batch before them.

    Args:
        tensors: what was or is being learned, by its names in a weights file; none for what needs none.
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor] | None = None) -> None:
        self._tensors = tensors or {}

    def node(self, op: str, *inputs: torch.Tensor, name: str = "", **attributes: Any) -> torch.Tensor:
        """One operator, at once; its name is for graphs."""
        del name
        if op in _PLAIN:
            return _PLAIN[op](*inputs)
        return _WITH_ATTRIBUTES[op](*inputs, **attributes)

    def constant(self, name: str, value: Array) -> torch.Tensor:
        del name
        return torch.from_numpy(np.asarray(value))

    def conv(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]

    def linear(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self._tensors[f"{name}.weight"].T, self._tensors[f"{name}.bias"]

    def learned(self, name: str) -> torch.Tensor:
        return self._tensors[name]

    def split(self, value: torch.Tensor, sizes: Sequence[int], name: str) -> list[torch.Tensor]:
        del name
        return list(value.split(list(sizes), dim=1))

    def shaped(self, value: torch.Tensor, *sides: int) -> torch.Tensor:
        return value.reshape(len(value), *sides)

    def row(self, numbers: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.stack(list(numbers), dim=1)

    def beside_rows(self, number: torch.Tensor) -> torch.Tensor:
        return number[:, None]


def _conv(
    shown: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
) -> torch.Tensor:
    del kernel_shape  # the kernel's own
    return functional.conv2d(shown, kernel, bias, stride=list(strides), padding=list(pads[:2]))


def _pooled(shown: torch.Tensor, kernel_shape: Sequence[int], strides: Sequence[int]) -> torch.Tensor:
    return functional.max_pool2d(shown, list(kernel_shape), list(strides))


def _length(rows: torch.Tensor, axes: Sequence[int], keepdims: int) -> torch.Tensor:
    return torch.linalg.vector_norm(rows, dim=list(axes), keepdim=bool(keepdims))


_WITH_ATTRIBUTES: dict[str, Callable[..., torch.Tensor]] = {
    "Concat": lambda *values, axis: torch.cat(values, dim=axis),
    "Conv": _conv,
    "MaxPool": _pooled,
    "ReduceL2": _length,
    "ReduceMax": lambda value, axes, keepdims: torch.amax(value, dim=axes, keepdim=bool(keepdims)),
    "ReduceMean": lambda value, axes, keepdims: torch.mean(value, dim=axes, keepdim=bool(keepdims)),
    "Softmax": lambda value, axis: torch.softmax(value, dim=axis),
}
