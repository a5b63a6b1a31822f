"""Whether words say what is true: phrases that they must hold, and phrases that they must not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_PLACE_OF_TWO_WORDS = re.compile(r"\b(top|bottom) (left|right)\b")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a right answer says; case and punctuation do not count.

    Attributes:
        needed: groups of phrases; a right answer holds at least one phrase of each group.
        excluded: phrases that a right answer does not hold: the other things that it might have said,
            so that naming all of them is not right.
    """

    needed: tuple[frozenset[str], ...]
    excluded: frozenset[str]

    @classmethod
    def one_of(cls, right: Collection[str], among: Iterable[str], *further: Collection[str]) -> Truth:
        """A right answer holds one of ``right`` and no other ``among`` which it had to choose.

        Args:
            right: phrases.
            among: all phrases to choose from.
            further: more groups, of each of which it holds a phrase too.
        """
        return cls((frozenset(right), *map(frozenset, further)), frozenset(among) - frozenset(right))

    def is_in(self, said: str) -> bool:
        """Whether the words that were said are right."""
        text = _plain(said)
        return all(_holds(text, group) for group in self.needed) and not _holds(text, self.excluded)


def said_among(said: str, options: Iterable[str]) -> str:
    """The one of ``options`` that the words hold; empty where they hold none or several."""
    text = _plain(said)
    found = [option for option in options if _holds(text, [option])]
    return found[0] if len(found) == 1 else ""


def _holds(text: str, phrases: Collection[str]) -> bool:
    return any(_plain(phrase) in text for phrase in phrases)


def _plain(text: str) -> str:
    """Words in lower case with a space around each; a place is one word, so that *top left* is no *top*."""
    words = " ".join(re.findall(r"[a-z0-9]+", text.lower()))
    places = _PLACE_OF_TWO_WORDS.sub(r"\1-\2", words)
    # "Two anomalies, the main one at the top" names no second count.
    return f" {places.replace('main one', 'main')} "
