"""The GPU, by whichever package reaches it."""

from __future__ import annotations

from edge.errors import EngineError
from edge.vision.tensorrt.cuda import Cuda
from edge.vision.tensorrt.cuda_python import CudaPython
from edge.vision.tensorrt.pycuda import PyCuda


def open_cuda(device: int = 0) -> Cuda:
    """The GPU of that number, by cuda-python or else by pycuda.

    Raises:
        EngineError: neither is installed, or no GPU answers.
    """
    refusals = []
    for package in (CudaPython, PyCuda):
        try:
            return package(device)
        except ImportError as error:
            refusals.append(f"{package.name}: {_first_line(error)}")
        except EngineError as error:
            refusals.append(f"{package.name}: {error.message}")
    raise EngineError(
        f"No NVIDIA GPU can be used: {' '.join(refusals)}",
        "Install the cuda-python version that matches the driver's CUDA, or set engine.runtime to openvino.",
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{lines[0].rstrip('.')}." if lines else "it cannot be imported."
