"""What weights may be stored in: safetensors, ONNX, and GGUF for a language model. Never a pickle.

A pickle is a program: loading one runs whatever its author, or whoever changed the file since, put into it.
Names are judged when a preset is read, contents before a file is used, since a pickle can be renamed.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from edge.errors import SourceError

WEIGHT_SUFFIXES = (".safetensors", ".onnx")
"""Of an encoder's weights."""

HOW_TO_CONVERT = (
    "Convert it once, on a machine where it can do no harm, with save_pretrained of transformers or "
    "convert.py of safetensors, and pin the model.safetensors that comes out (docs/offline.md)."
)

_PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill"})

_ZIP, _GGUF = b"PK\x03\x04", b"GGUF"
_PICKLE_PROTOCOLS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_TAR, _TAR_AT = b"ustar", 257
_SAFETENSORS_HEADER_MAX = 100_000_000  # The format's own limit, in bytes.
_ONNX_FIRST = b"\x08"  # ModelProto's first field, ir_version, which every writer puts first.


def pickle_name(name: str) -> str | None:
    """Why a file of that name is refused as a pickle, with the remedy; None where it is not."""
    if PurePath(name).suffix.lower() not in _PICKLE_SUFFIXES:
        return None
    return _refusal(name)


def check_content(path: Path) -> None:
    """Looks into a file: is it of the format that its name promises, and no pickle?

    Raises:
        SourceError: it is a pickle, is of another format, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            fits = _fits(file.read(9), path.suffix.lower(), path.stat().st_size)
            file.seek(0)
            pickled = not fits and _is_pickle(file.read(_TAR_AT + len(_TAR)))
    except OSError as error:
        raise SourceError(f"Cannot read {path}: {error.strerror}.", "Fetch it again.") from error
    if pickled:
        raise SourceError(_refusal(path.name))
    if fits is False:
        raise SourceError(
            f"{path.name} does not start like a {path.suffix} file.",
            "Check the file that the preset names: it may be an error page or a Git LFS pointer.",
        )


def _refusal(name: str) -> str:
    return (
        f"{name} is a pickle, and loading a pickle runs whatever code it holds: "
        f"only safetensors and ONNX are read. {HOW_TO_CONVERT}"
    )


def _fits(begin: bytes, suffix: str, size: int) -> bool | None:
    """Whether a file of that size begins as its suffix promises; None for a suffix that promises nothing."""
    if suffix == ".safetensors":
        header_bytes = int.from_bytes(begin[:8], "little")
        return 2 <= header_bytes <= min(size - 8, _SAFETENSORS_HEADER_MAX) and begin[8:] == b"{"
    if suffix == ".onnx":
        return begin.startswith(_ONNX_FIRST)
    if suffix == ".gguf":
        return begin.startswith(_GGUF)
    return None


def _is_pickle(begin: bytes) -> bool:
    # torch writes a zip of pickles, wrote bare pickles before, and tars of them before that. Python's oldest
    # protocols, of text, have no mark of their own.
    return begin.startswith((_ZIP, *_PICKLE_PROTOCOLS)) or begin[_TAR_AT:] == _TAR
