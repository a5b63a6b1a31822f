"""Options that take several values: ``--seeds 0 1 2``."""

from __future__ import annotations

from collections.abc import Iterator

import click


class VariadicCommand(click.Command):
    """A command whose options with ``multiple=True`` also take their values in one go.

    ``--seeds 0 1 2`` is read as ``--seeds 0 --seeds 1 --seeds 2``: after such an option, words belong
    to it for as long as they are of its type. A folder that is called like a number is written
    ``./4``, or stands before the options.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Click's own parsing, after every such option is repeated for each of its values."""
        options = {
            name: option
            for option in self.params
            if isinstance(option, click.Option) and option.multiple
            for name in option.opts
        }
        return super().parse_args(ctx, list(_repeated(args, options, ctx)))


def _repeated(words: list[str], options: dict[str, click.Option], ctx: click.Context) -> Iterator[str]:
    name, due = "", False  # the option that words now belong to, and whether its first value is due
    for position, word in enumerate(words):
        if word == "--":
            yield from words[position:]
            return
        opened, _, value = word.partition("=")
        if opened in options:
            name, due = opened, not value
        elif due:
            due = False  # click judges it, and complains by the option's name
        elif name and _is_value(word, options[name], ctx):
            yield name
        else:
            name = ""
        yield word


def _is_value(word: str, option: click.Option, ctx: click.Context) -> bool:
    try:
        option.type.convert(word, option, ctx)
    except click.BadParameter:
        return False
    return True
