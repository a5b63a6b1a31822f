"""What a program of this project ends with."""

import signal

EXIT_ERROR = 1
"""One line on standard error says what is wrong, and what to do."""

EXIT_INTERRUPTED = 128 + signal.SIGINT
"""Ctrl-C."""
