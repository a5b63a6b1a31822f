"""What the engine needs of a GPU, in host memory: real bytes at real addresses, computed by ONNX Runtime.

It stands in for the device's *rules*, so that an engine that breaks one gives wrong numbers here too: nothing
that is given to the stream is done before ``wait``; a recorded graph keeps the addresses and shapes of
its recording; memory that was given back may not be touched; memory that is new holds rubbish.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from edge.errors import EngineError
from edge.vision.tensorrt.cuda import HostArray, Work
from edge.vision.tensorrt.execution import TensorPort

RUBBISH = 0xA5


class HostCuda:
    """See :class:`edge.vision.tensorrt.cuda.Cuda`."""

    name = "host"
    stream = 7

    def __init__(self, has_graphs: bool = True) -> None:
        self._has_graphs = has_graphs
        self._memory: dict[int, HostArray] = {}
        self._stream: list[Work] = []
        self._recording: list[Work] | None = None
        self.launched = 0
        self.graphs = 0

    def give(self, work: Work) -> None:
        """Work for the stream, or for the graph that is being recorded."""
        (self._stream if self._recording is None else self._recording).append(work)

    def activate(self) -> None:
        pass

    def device_name(self) -> str:
        return "host memory"

    def capability(self) -> str:
        return "0.0"

    def memory(self) -> tuple[int, int]:
        return 1 << 30, 1 << 30

    @property
    def held_bytes(self) -> int:
        """Of device memory."""
        return sum(array.nbytes for array in self._memory.values())

    def allocate(self, size_bytes: int) -> int:
        assert self._recording is None, "memory must not be taken while a graph is recorded"
        array = np.full(size_bytes, RUBBISH, np.uint8)
        self._memory[array.ctypes.data] = array
        return array.ctypes.data

    def release(self, address: int) -> None:
        assert not self._stream, "memory was given back that may be in use"
        del self._memory[address]

    def touch(self, address: int, size_bytes: int) -> None:
        """Refuses what no GPU would survive."""
        held = self._memory.get(address)
        assert held is not None and size_bytes <= held.nbytes, "memory was touched that is not held"

    def pinned(self, shape: Sequence[int], dtype: npt.DTypeLike) -> HostArray:
        return (
            np.full(np.prod(shape) * np.dtype(dtype).itemsize, RUBBISH, np.uint8).view(dtype).reshape(shape)
        )

    def upload(self, address: int, array: HostArray) -> None:
        assert array.flags.c_contiguous
        self.give(lambda: self._copy(address, address, array.ctypes.data, array.nbytes))

    def download(self, array: HostArray, address: int) -> None:
        assert array.flags.c_contiguous
        self.give(lambda: self._copy(address, array.ctypes.data, address, array.nbytes))

    def _copy(self, device: int, target: int, source: int, size_bytes: int) -> None:
        self.touch(device, size_bytes)
        ctypes.memmove(target, source, size_bytes)

    def wait(self) -> None:
        for work in self._stream:
            work()
        self._stream.clear()

    def capture(self, work: Work) -> HostGraph | None:
        if not self._has_graphs:
            return None
        self._recording = []
        work()
        recorded, self._recording = self._recording, None
        self.graphs += 1
        return HostGraph(self, recorded)

    def close(self) -> None:
        assert self.graphs == 0, "a graph was not given back"
        self._memory.clear()


class HostGraph:
    """See :class:`edge.vision.tensorrt.cuda.CudaGraph`."""

    def __init__(self, cuda: HostCuda, recorded: Sequence[Work]) -> None:
        self._cuda = cuda
        self._recorded = recorded

    def launch(self) -> None:
        self._cuda.launched += 1
        for work in self._recorded:
            self._cuda.give(work)

    def release(self) -> None:
        self._cuda.graphs -= 1


class OnnxExecution:
    """See :class:`edge.vision.tensorrt.execution.Execution`; a half of the graph in ONNX Runtime.

    Args:
        half: of :func:`build_engines.graph.cut.cut`.
        most: of its free length.
    """

    def __init__(self, half: onnx.ModelProto, cuda: HostCuda, most: int) -> None:
        self._session = onnxruntime.InferenceSession(
            half.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        self._cuda = cuda
        self._most = most
        self.inputs: Mapping[str, TensorPort] = _ports(half.graph.input)
        self.outputs: Mapping[str, TensorPort] = _ports(half.graph.output)
        self._shapes = {name: port.shape for name, port in self.inputs.items() if -1 not in port.shape}
        self._addresses: dict[str, int] = {}
        self._scratch = (0, 0)
        self.settled = False

    def most(self, name: str) -> tuple[int, ...]:
        return tuple(self._most if length == -1 else length for length in self.inputs[name].shape)

    def shape(self, name: str, shape: Sequence[int]) -> None:
        most = self.most(name)
        if len(shape) != len(most) or any(one > many for one, many in zip(shape, most, strict=True)):
            raise EngineError(f"The plan takes {name} up to {most}, not {tuple(shape)}.")
        self._shapes[name] = tuple(shape)

    def bind(self, name: str, address: int) -> None:
        assert address
        self._addresses[name] = address

    def needed_bytes(self) -> int:
        return sum(
            int(np.prod(shape)) * np.dtype(self.inputs[name].dtype).itemsize
            for name, shape in self._shapes.items()
        )

    def use_memory(self, address: int, size_bytes: int) -> None:
        assert size_bytes >= self.needed_bytes()
        self._scratch = (address, size_bytes)

    def run(self, stream: int) -> None:
        assert stream == self._cuda.stream
        assert set(self._shapes) == set(self.inputs), "a shape was not said"
        assert set(self._addresses) == {*self.inputs, *self.outputs}, "a tensor was not bound"
        self._cuda.give(self._work(dict(self._shapes), dict(self._addresses), self._scratch))

    def _work(
        self, shapes: Mapping[str, tuple[int, ...]], addresses: Mapping[str, int], scratch: tuple[int, int]
    ) -> Callable[[], None]:
        """With the shapes and addresses of now, as a launched kernel has them."""

        def compute() -> None:
            self._cuda.touch(*scratch)
            ctypes.memset(scratch[0], RUBBISH, scratch[1])  # The other half's, from now on.
            inputs = {
                name: self._at(addresses[name], shapes[name], port.dtype).copy()
                for name, port in self.inputs.items()
            }
            for name, result in zip(self.outputs, self._session.run(list(self.outputs), inputs), strict=True):
                self._at(addresses[name], result.shape, result.dtype)[...] = result

        return compute

    def _at(self, address: int, shape: Sequence[int], dtype: npt.DTypeLike) -> HostArray:
        size_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self._cuda.touch(address, size_bytes)
        lent = memoryview((ctypes.c_uint8 * size_bytes).from_address(address)).cast("B")
        return np.frombuffer(lent, np.dtype(dtype)).reshape(shape)


def _ports(ports: Sequence[onnx.ValueInfoProto]) -> dict[str, TensorPort]:
    return {
        port.name: TensorPort(
            tuple(d.dim_value or -1 for d in port.type.tensor_type.shape.dim),
            onnx.helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type),
        )
        for port in ports
    }
