"""Text from outside on one line: what a file or a part is called forges no line and moves no cursor."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, invisible marks such as those that turn the direction of writing, lone surrogates, separators."""


def one_line(text: str) -> str:
    """``text`` with everything that is no visible character as an escape, such as ``\\n`` or ``\\u202e``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char
        for char in text
    )
