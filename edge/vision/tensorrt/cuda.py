"""The little of CUDA that an engine needs: memory, copies, one stream, and work that is played again.

Two packages give it: cuda-python (``cuda.bindings``), which is NVIDIA's own, and pycuda, which JetPack's
users often have. Neither is imported before a GPU is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy.typing as npt

HostArray = npt.NDArray[Any]
Work = Callable[[], None]


class CudaGraph(Protocol):
    """Work of a stream, recorded with the addresses and shapes of that moment."""

    def launch(self) -> None:
        """Gives it to the stream once more."""

    def release(self) -> None:
        """Gives it back; it must not be under way."""


class Cuda(Protocol):
    """One GPU and one stream on it; all copies and launches go through that stream, in their order.

    Attributes:
        name: of the package behind it.
        stream: the stream's handle, as TensorRT takes it.
    """

    name: str
    stream: int

    def activate(self) -> None:
        """Makes this GPU the calling thread's; before anything else in each thread."""

    def device_name(self) -> str:
        """What the GPU is called."""

    def capability(self) -> str:
        """Its compute capability, such as ``8.7``."""

    def memory(self) -> tuple[int, int]:
        """Bytes that are free and that there are; on a Jetson the CPU's too."""

    def allocate(self, size_bytes: int) -> int:
        """The address of new device memory.

        Raises:
            EngineError: there is not enough.
        """

    def release(self, address: int) -> None:
        """Gives device memory back; nothing that still runs may use it."""

    def pinned(self, shape: Sequence[int], dtype: npt.DTypeLike) -> HostArray:
        """A new host array that the GPU reads and writes without a detour; it lives as long as this."""

    def upload(self, address: int, array: HostArray) -> None:
        """Copies a C-contiguous array to the device; it must not change before :meth:`wait`."""

    def download(self, array: HostArray, address: int) -> None:
        """Copies from the device into a C-contiguous array; it is there after :meth:`wait`."""

    def wait(self) -> None:
        """Until the stream has done all it was given.

        Raises:
            EngineError: something in it failed.
        """

    def capture(self, work: Work) -> CudaGraph | None:
        """Records what ``work`` gives to the stream, which does not do it; None where there are no graphs."""

    def close(self) -> None:
        """Gives everything back."""


class Buffer:
    """Room for one tensor: on the device, and pinned on the host beside it.

    Attributes:
        host: the host's array.
        address: the device's.
    """

    def __init__(self, cuda: Cuda, shape: Sequence[int], dtype: npt.DTypeLike) -> None:
        self._cuda = cuda
        self.host = cuda.pinned(shape, dtype)
        self.address = cuda.allocate(self.host.nbytes)

    def upload(self, count: int | None = None) -> None:
        """From the host to the device; only the first ``count`` along the first axis, where it is given."""
        self._cuda.upload(self.address, self.host[:count])

    def download(self, count: int | None = None) -> None:
        """From the device to the host, likewise."""
        self._cuda.download(self.host[:count], self.address)


class GrowingBuffer:
    """Device memory that grows to what is asked of it and does not shrink: a bank's, a plan's own.

    Attributes:
        address: of the memory; another one after it grew.
        size_bytes: of it.
    """

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self.address = 0
        self.size_bytes = 0

    def hold(self, size_bytes: int) -> bool:
        """Makes it at least so large; whether it moved for that, and lost its content."""
        if self.address and size_bytes <= self.size_bytes:
            return False
        if self.address:
            self._cuda.wait()
            self._cuda.release(self.address)
            self.address = 0
        self.size_bytes = max(size_bytes, 1)
        self.address = self._cuda.allocate(self.size_bytes)
        return True


class Replay:
    """The same work again and again: plainly the first time, from then on as a CUDA graph.

    The first time is what TensorRT needs after a change of shapes: it settles what a capture must not.
    Whoever changes a shape or an address calls :meth:`reset`.
    """

    def __init__(self, cuda: Cuda, work: Work) -> None:
        self._cuda = cuda
        self._work = work
        self._graph: CudaGraph | None = None
        self._ran = False

    def run(self) -> None:
        """Gives the work to the stream."""
        if self._graph is None and self._ran:
            self._graph = self._cuda.capture(self._work)
        if self._graph is None:
            self._work()
        else:
            self._graph.launch()
        self._ran = True

    def reset(self) -> None:
        """Forgets the graph: the next run is a plain one. Nothing may be under way."""
        if self._graph is not None:
            self._graph.release()
        self._graph, self._ran = None, False
