"""llama.cpp, loaded once per process and only when it is needed.

The wheel holds one build of the CPU kernels per generation of processors; the one that this
processor runs fastest is chosen when the library is loaded.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from collections import deque
from pathlib import Path
from typing import Any, Literal

from edge.errors import LanguageError

VERSION = "0.3.36"
"""Of llama-cpp-python. Its structures follow llama.cpp's headers: another version can crash."""

REMEDY = "Run `make setup` in a checkout, or `python -m build_engines.llama_wheel` in this environment."

log = logging.getLogger(__name__)

_WARNING, _ERROR = 2, 3  # ggml_log_level
_complaints: deque[str] = deque(maxlen=4)


def load(wait_policy: Literal["passive", "active"] = "passive") -> Any:
    """The module of llama.cpp's C functions.

    Args:
        wait_policy: see :class:`edge.language.Limits`; the first call in a process decides.

    Raises:
        LanguageError: it is not installed, of another version, or has no kernels for this processor.
    """
    # OpenMP reads its environment when it is loaded, and llama.cpp loads it.
    os.environ.setdefault("OMP_WAIT_POLICY", wait_policy.upper())
    # A failed assertion would first attach a debugger to the process, which can take a minute.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    return _loaded()


def last_complaint() -> str:
    """What llama.cpp logged last as an error, as the end of a sentence; empty if it said nothing."""
    said = _complaints[-1] if _complaints else ""
    _complaints.clear()
    return f": {said}" if said else ""


@functools.cache
def _loaded() -> Any:
    try:
        import llama_cpp
    except ImportError as error:
        raise LanguageError(f"llama-cpp-python is not installed ({error}).", REMEDY) from error
    except (OSError, RuntimeError) as error:  # Its loader turns what dlopen says into RuntimeError.
        raise LanguageError(f"llama.cpp cannot be loaded: {error}.", REMEDY) from error
    if llama_cpp.__version__ != VERSION:
        raise LanguageError(
            f"llama-cpp-python is {llama_cpp.__version__}, this project needs {VERSION}.", REMEDY
        )
    functions = llama_cpp.llama_cpp
    functions.llama_log_set(_on_log, ctypes.c_void_p(0))
    _load_kernels(Path(llama_cpp.__file__).parent / "lib")
    functions.llama_backend_init()
    return functions


def _load_kernels(folder: Path) -> None:
    # By absolute path: llama.cpp by itself would look beside the Python executable and in the current
    # folder, where anybody may have put a library.
    ggml = ctypes.CDLL(str(next(folder.glob("libggml.*"))))
    ggml.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
    ggml.ggml_backend_load_all_from_path.restype = None
    ggml.ggml_backend_load_all_from_path(os.fsencode(folder))
    ggml.ggml_backend_reg_count.restype = ctypes.c_size_t
    if ggml.ggml_backend_reg_count() == 0:
        raise LanguageError(f"llama.cpp has no kernels for this processor in {folder}.", REMEDY)


def _log(level: int, text: bytes, _: int | None) -> None:
    line = text.decode("utf-8", "replace").strip()
    if level >= _WARNING and line:
        log.debug("llama.cpp: %s", line)
    if level == _ERROR and line:
        _complaints.append(line)


# llama.cpp keeps the pointer: it must live as long as the process.
_on_log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(_log)
