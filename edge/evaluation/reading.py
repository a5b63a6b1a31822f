"""The language model in this very process, which evaluation asks about one part after the other.

A station asks its worker instead. The numbers and the words are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import BundleError
from edge.language import Prompt, Reading, Runner, bundled_model

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.vision.inspector import Finding


@contextmanager
def opened_runner(bundle: Bundle) -> Iterator[Runner]:
    """The bundle's language model, closed at the end.

    Raises:
        BundleError: the bundle has no language half.
        LanguageError: llama.cpp is missing.
    """
    with Runner(bundled_model(bundle)) as runner:
        yield runner


def read_finding(runner: Runner, prompt: Prompt, finding: Finding) -> Reading:
    """The language model's verdict on a finding; its dialogue stays open.

    Raises:
        BundleError: the finding is of a graph without a prompt learner.
        LanguageError: it cannot be read.
    """
    if finding.rows is None:
        raise BundleError(
            "The vision graph gives the language model nothing to read.", "Build the bundle again."
        )
    return runner.judge(prompt, finding.rows)
