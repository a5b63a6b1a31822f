"""One plan at work: its tensors by name, where they lie, and the memory that it needs beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import EngineError
from edge.tools import command_line
from edge.vision.tensorrt.library import last_words, message_log

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass(frozen=True, slots=True)
class TensorPort:
    """An input or output of a plan; -1 in its shape where a length is free."""

    shape: tuple[int, ...]
    dtype: npt.DTypeLike


class Execution(Protocol):
    """A loaded plan.

    Attributes:
        inputs, outputs: its tensors by name.
    """

    inputs: Mapping[str, TensorPort]
    outputs: Mapping[str, TensorPort]

    def most(self, name: str) -> tuple[int, ...]:
        """The largest shape of an input that the plan serves."""

    def shape(self, name: str, shape: Sequence[int]) -> None:
        """Says an input's shape.

        Raises:
            EngineError: the plan does not serve it.
        """

    def bind(self, name: str, address: int) -> None:
        """Says where on the device a tensor lies."""

    def needed_bytes(self) -> int:
        """Of memory beside the tensors, at the shapes that were said."""

    def use_memory(self, address: int, size_bytes: int) -> None:
        """Gives it that memory; several plans may have the same one by turns."""

    def run(self, stream: int) -> None:
        """Gives its work to a stream.

        Raises:
            EngineError: TensorRT refuses.
        """


class PlanExecution:
    """See :class:`Execution`; by TensorRT."""

    def __init__(self, tensorrt: Any, engine: trt.ICudaEngine, name: str, log: Any) -> None:
        self._engine = engine
        self._name = name
        self._log = log
        # The memory is ours: it follows the shapes that are used, not the largest, and halves share it.
        context: trt.IExecutionContext = engine.create_execution_context(
            tensorrt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        if context is None:
            raise EngineError(
                f"TensorRT cannot run the {name}: {last_words(log)}",
                "Stop other programs that use the GPU's memory.",
            )
        self._context = context
        ports: dict[bool, dict[str, TensorPort]] = {True: {}, False: {}}
        for number in range(engine.num_io_tensors):
            tensor = engine.get_tensor_name(number)
            port = TensorPort(
                tuple(engine.get_tensor_shape(tensor)), _numpy_type(tensorrt, engine.get_tensor_dtype(tensor))
            )
            ports[engine.get_tensor_mode(tensor) == tensorrt.TensorIOMode.INPUT][tensor] = port
        self.inputs: Mapping[str, TensorPort] = ports[True]
        self.outputs: Mapping[str, TensorPort] = ports[False]

    def most(self, name: str) -> tuple[int, ...]:
        fixed = self.inputs[name].shape
        return fixed if -1 not in fixed else tuple(self._engine.get_tensor_profile_shape(name, 0)[2])

    def shape(self, name: str, shape: Sequence[int]) -> None:
        if not self._context.set_input_shape(name, tuple(shape)):
            raise EngineError(
                f"The {self._name}'s plan accepts {name} up to {self.most(name)}, not {tuple(shape)}.",
                f"Compile it for that: {command_line('build_engines', 'compile')}, "
                "with --batch or --bank-rows.",
            )

    def bind(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise EngineError(f"TensorRT does not accept {name}'s address: {last_words(self._log)}")

    def needed_bytes(self) -> int:
        return int(self._context.update_device_memory_size_for_shapes())

    def use_memory(self, address: int, size_bytes: int) -> None:
        self._context.set_device_memory(address, size_bytes)

    def run(self, stream: int) -> None:
        if not self._context.execute_async_v3(stream):
            raise EngineError(
                f"TensorRT failed in the {self._name}: {last_words(self._log)}", "Restart the station."
            )


def load_execution(tensorrt: Any, plan: bytes, name: str) -> PlanExecution | None:
    """A plan that is ready to run; None where TensorRT cannot load it, which it says by no exception."""
    log = message_log(tensorrt)
    runtime: trt.Runtime = tensorrt.Runtime(log)
    if runtime is None:
        return None
    engine: trt.ICudaEngine = runtime.deserialize_cuda_engine(plan)
    return None if engine is None else PlanExecution(tensorrt, engine, name, log)


def _numpy_type(tensorrt: Any, kind: trt.DataType) -> npt.DTypeLike:
    known = {tensorrt.DataType.FLOAT: np.float32, tensorrt.DataType.UINT8: np.uint8}
    if kind not in known:
        raise EngineError(f"A plan has a tensor of {kind}; images are uint8 and everything else is float32.")
    return known[kind]
