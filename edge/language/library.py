"""llama.cpp, loaded once per process and only when it is needed.

The wheel holds its CPU kernels in several variants, a library each. :mod:`edge.language.kernels` says
which of them computes; this module loads that one.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import logging
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any

from edge.choices import WaitPolicy
from edge.errors import LanguageError
from edge.tools import command_line

VERSION = "0.3.36"
"""Of llama-cpp-python. Its structures follow llama.cpp's headers: another version can crash."""

_BUILD = command_line("build_engines.language.llama_wheel")
REMEDY = f"Run `make setup` in a checkout, or `{_BUILD}` in this environment."

log = logging.getLogger(__name__)

_WARNING, _ERROR = 2, 3  # ggml_log_level
_complaints: deque[str] = deque(maxlen=4)

_PREFIX = "libggml-cpu"
_FOLDER_VARIABLE = "LLAMA_CPP_LIB_PATH"  # llama-cpp-python's own.
_PLAINEST = ("x64", "sse42", "armv8.0_1", "one for all")


def load(wait_policy: WaitPolicy = "passive", kernel: Path | None = None) -> Any:
    """The module of llama.cpp's C functions.

    Args:
        wait_policy: see :class:`edge.language.ModelLimits`; the first call in a process decides.
        kernel: the library of the variant that computes; the first one that is named in a process
            decides. None where nothing is computed: the plainest, until one is named.

    Raises:
        LanguageError: it is not installed, of another version, or has no kernels for this processor.
    """
    # OpenMP reads its environment when it is loaded, and llama.cpp loads it.
    os.environ.setdefault("OMP_WAIT_POLICY", wait_policy.upper())
    # A failed assertion would first attach a debugger to the process, which can take a minute.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    functions = _loaded()
    _kernels().use(kernel)
    return functions


def kernel_libraries() -> dict[str, Path]:
    """The variants of the CPU kernels that are installed, by name; loads nothing.

    Raises:
        LanguageError: llama-cpp-python is not installed, or holds no kernels.
        OSError: its folder cannot be read.
    """
    folder = _folder()
    # Not glob: it takes a folder that cannot be read, for want of descriptors, for an empty one.
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = {
        path.stem.removeprefix(_PREFIX).lstrip("-") or _PLAINEST[-1]: path
        for path in files
        if path.name.startswith(_PREFIX) and path.suffix == ".so"
    }
    if not found:
        raise LanguageError(f"llama.cpp has no kernels for this processor in {folder}.", REMEDY)
    return found


def ggml() -> ctypes.CDLL:
    """The library that loads kernels; theirs find it only where it is loaded already."""
    return ctypes.CDLL(str(next(_folder().glob("libggml.*"))))


def named_kernel() -> Path | None:
    """The variant that this process computes with; None where none was named yet."""
    return _kernels().named if _kernels.cache_info().currsize else None


def last_complaint() -> str:
    """What llama.cpp logged last as an error, as the end of a sentence; empty if it said nothing."""
    said = _complaints[-1] if _complaints else ""
    _complaints.clear()
    return f": {said}" if said else ""


def _folder() -> Path:
    if named := os.environ.get(_FOLDER_VARIABLE):
        return Path(named)
    package = importlib.util.find_spec("llama_cpp")
    if package is None or not package.submodule_search_locations:
        raise LanguageError("llama-cpp-python is not installed.", REMEDY)
    return Path(package.submodule_search_locations[0]) / "lib"


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
    functions.llama_backend_init()
    return functions


class _Kernels:
    """The one variant that is loaded, by its absolute path.

    llama.cpp by itself would take the variant with the highest score, unproved, and look for it beside the
    Python executable and in the current folder too, where anybody may have put a library.
    """

    def __init__(self) -> None:
        self._ggml = ggml()
        self._ggml.ggml_backend_load.argtypes = [ctypes.c_char_p]
        self._ggml.ggml_backend_load.restype = ctypes.c_void_p
        self._ggml.ggml_backend_unload.argtypes = [ctypes.c_void_p]
        self._ggml.ggml_backend_unload.restype = None
        self._lock = threading.Lock()
        self._handle: int | None = None
        self.named: Path | None = None

    def use(self, library: Path | None) -> None:
        with self._lock:
            if self.named is not None or (self._handle is not None and library is None):
                return
            if self._handle is not None:
                self._ggml.ggml_backend_unload(self._handle)
            path = library or _plainest()
            self._handle = self._ggml.ggml_backend_load(os.fsencode(path))
            if self._handle is None:
                raise LanguageError(f"llama.cpp's kernels in {path} cannot be loaded.", REMEDY)
            self.named = library


@functools.cache
def _kernels() -> _Kernels:
    return _Kernels()


def _plainest() -> Path:
    libraries = kernel_libraries()
    return next((libraries[name] for name in _PLAINEST if name in libraries), min(libraries.values()))


def _log(level: int, text: bytes, _: int | None) -> None:
    line = text.decode("utf-8", "replace").strip()
    if level >= _WARNING and line:
        log.debug("llama.cpp: %s", line)
    if level == _ERROR and line:
        _complaints.append(line)


# llama.cpp keeps the pointer: it must live as long as the process.
_on_log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(_log)
