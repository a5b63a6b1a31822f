"""CUDA by pycuda, which has no CUDA graphs: each part's work is launched kernel by kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from edge.errors import EngineError
from edge.vision.tensorrt.cuda import CudaGraph, HostArray, Work


class PyCuda:
    """See :class:`edge.vision.tensorrt.cuda.Cuda`.

    Raises:
        ImportError: pycuda is not installed, or there is no driver.
        EngineError: no such GPU answers.
    """

    name = "pycuda"

    def __init__(self, device: int = 0) -> None:
        from pycuda import driver

        self._driver = driver
        try:
            driver.init()
            self._gpu = driver.Device(device)
            # The one that TensorRT uses.
            self._context = self._gpu.retain_primary_context()
            self._context.push()
            self._stream = driver.Stream()
        except driver.Error as error:
            raise EngineError(f"GPU {device} cannot be used: {error}.", "Check its driver.") from error
        self.stream = int(self._stream.handle)
        self._allocations: dict[int, object] = {}
        self._pinned: list[HostArray] = []

    def activate(self) -> None:
        if self._driver.Context.get_current() is None:
            self._context.push()

    def device_name(self) -> str:
        return str(self._gpu.name())

    def capability(self) -> str:
        major, minor = self._gpu.compute_capability()
        return f"{major}.{minor}"

    def memory(self) -> tuple[int, int]:
        free, total = self._driver.mem_get_info()
        return int(free), int(total)

    def allocate(self, size_bytes: int) -> int:
        try:
            allocation = self._driver.mem_alloc(size_bytes)
        except self._driver.Error as error:
            raise EngineError(
                f"The GPU does not have {size_bytes / 1e6:.1f} MB of memory left: {error}.",
                "Stop other programs that use it.",
            ) from error
        self._allocations[int(allocation)] = allocation
        return int(allocation)

    def release(self, address: int) -> None:
        del self._allocations[address]  # It is freed with its object.

    def pinned(self, shape: Sequence[int], dtype: npt.DTypeLike) -> HostArray:
        array: HostArray = self._driver.pagelocked_empty(tuple(shape), dtype)
        self._pinned.append(array)
        return array

    def upload(self, address: int, array: HostArray) -> None:
        self._driver.memcpy_htod_async(address, array, self._stream)

    def download(self, array: HostArray, address: int) -> None:
        self._driver.memcpy_dtoh_async(array, address, self._stream)

    def wait(self) -> None:
        try:
            self._stream.synchronize()
        except self._driver.Error as error:
            raise EngineError(f"CUDA failed: {error}.", "Restart the station.") from error

    def capture(self, work: Work) -> CudaGraph | None:  # noqa: ARG002 - pycuda has no graphs
        return None

    def close(self) -> None:
        self.activate()
        self.wait()
        self._allocations.clear()
        self._pinned.clear()
        del self._stream
        self._driver.Context.pop()
