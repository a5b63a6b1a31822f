"""CUDA by cuda-python: NVIDIA's bindings of its runtime, which can be imported without a driver."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import EngineError
from edge.vision.tensorrt.cuda import CudaGraph, HostArray, Work


class CudaPython:
    """See :class:`edge.vision.tensorrt.cuda.Cuda`.

    Raises:
        ImportError: cuda-python is not installed.
        EngineError: no such GPU answers.
    """

    name = "cuda-python"

    def __init__(self, device: int = 0) -> None:
        from cuda.bindings import runtime

        self._runtime = runtime
        self._device = device
        self._addresses: set[int] = set()
        self._pinned: list[int] = []
        try:
            count = self._done(runtime.cudaGetDeviceCount(), "finding a GPU")
        except RuntimeError as error:  # What versions before 13 say where there is no driver.
            raise EngineError(f"CUDA failed while finding a GPU: {error}.", "Install its driver.") from error
        if device >= count:
            raise EngineError(f"There is no GPU {device}; there are {count}.", "Choose another.")
        self.activate()
        self.stream = int(
            self._done(runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking), "opening a stream")
        )

    def activate(self) -> None:
        self._done(self._runtime.cudaSetDevice(self._device), "choosing the GPU")

    def device_name(self) -> str:
        properties = self._done(self._runtime.cudaGetDeviceProperties(self._device), "asking the GPU")
        name: bytes = properties.name
        return name.decode(errors="replace").rstrip("\0")

    def capability(self) -> str:
        kinds = self._runtime.cudaDeviceAttr
        major, minor = (
            self._done(self._runtime.cudaDeviceGetAttribute(kind, self._device), "asking the GPU")
            for kind in (kinds.cudaDevAttrComputeCapabilityMajor, kinds.cudaDevAttrComputeCapabilityMinor)
        )
        return f"{major}.{minor}"

    def memory(self) -> tuple[int, int]:
        free, total = self._done(self._runtime.cudaMemGetInfo(), "asking for free memory")
        return int(free), int(total)

    def allocate(self, size_bytes: int) -> int:
        address = int(
            self._done(
                self._runtime.cudaMalloc(size_bytes), f"taking {size_bytes / 1e6:.1f} MB of its memory"
            )
        )
        self._addresses.add(address)
        return address

    def release(self, address: int) -> None:
        self._addresses.discard(address)
        self._done(self._runtime.cudaFree(address), "giving memory back")

    def pinned(self, shape: Sequence[int], dtype: npt.DTypeLike) -> HostArray:
        size_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        address = int(self._done(self._runtime.cudaMallocHost(size_bytes), "pinning host memory"))
        self._pinned.append(address)
        raw = (ctypes.c_uint8 * size_bytes).from_address(address)
        array: HostArray = np.ndarray(tuple(shape), dtype, buffer=memoryview(raw))
        return array

    def upload(self, address: int, array: HostArray) -> None:
        self._copy(address, array.ctypes.data, array, self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice)

    def download(self, array: HostArray, address: int) -> None:
        self._copy(array.ctypes.data, address, array, self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost)

    def wait(self) -> None:
        self._done(self._runtime.cudaStreamSynchronize(self.stream), "computing")

    def capture(self, work: Work) -> CudaGraph:
        # Of this thread alone: the station's other threads may use CUDA as they like.
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._done(self._runtime.cudaStreamBeginCapture(self.stream, mode), "beginning a capture")
        try:
            work()
        finally:  # Also where the work failed: a stream that captures can do nothing else.
            ended = self._runtime.cudaStreamEndCapture(self.stream)
        graph = self._done(ended, "ending a capture")
        playable = self._done(self._runtime.cudaGraphInstantiate(graph, 0), "making a CUDA graph")
        self._done(self._runtime.cudaGraphDestroy(graph), "making a CUDA graph")
        return _Recorded(self, playable)

    def launch(self, playable: Any) -> None:
        """Plays a graph that was made ready."""
        self._done(self._runtime.cudaGraphLaunch(playable, self.stream), "computing")

    def discard(self, playable: Any) -> None:
        """Gives a graph back."""
        self._done(self._runtime.cudaGraphExecDestroy(playable), "giving a CUDA graph back")

    def close(self) -> None:
        self.activate()
        self.wait()
        for address in self._addresses:
            self._runtime.cudaFree(address)
        for address in self._pinned:
            self._runtime.cudaFreeHost(address)
        self._runtime.cudaStreamDestroy(self.stream)
        self._pinned, self._addresses = [], set()

    def _copy(self, target: int, source: int, array: HostArray, kind: Any) -> None:
        copied = self._runtime.cudaMemcpyAsync(target, source, array.nbytes, kind, self.stream)
        self._done(copied, "copying")

    def _done(self, result: tuple[Any, ...], what: str) -> Any:
        """What a call gives beside its code.

        Raises:
            EngineError: the code is no success.
        """
        code, *values = result
        if code != self._runtime.cudaError_t.cudaSuccess:
            reason = self._runtime.cudaGetErrorString(code)[1]
            raise EngineError(
                f"CUDA failed while {what}: {reason.decode()} ({code.name}).",
                "Check the GPU and its driver: nvidia-smi, or on a Jetson tegrastats.",
            )
        return values[0] if len(values) == 1 else tuple(values)


class _Recorded:
    """See :class:`edge.vision.tensorrt.cuda.CudaGraph`."""

    def __init__(self, cuda: CudaPython, playable: Any) -> None:
        self._cuda = cuda
        self._playable = playable

    def launch(self) -> None:
        self._cuda.launch(self._playable)

    def release(self) -> None:
        self._cuda.discard(self._playable)
