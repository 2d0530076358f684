"""What an exit code usually means: by the shell's conventions (POSIX, "Exit Status for Commands"; bash's manual)."""

from __future__ import annotations

import signal
from collections.abc import Mapping

_USUAL: Mapping[int, str] = {
    1: "an error that the program did not handle; Python ends so after a traceback",
    2: "a wrong use of a command; Python and argparse end so when they cannot read their arguments",
    125: "a container that its engine could not run",
    126: "a command that was found and cannot be run: check its permissions and its interpreter",
    127: "a command that was not found: check the entry point and PATH",
    255: "an error code that was out of range, or a connection that broke off",
}

_SIGNALS: Mapping[int, str] = {
    signal.SIGINT: "it was interrupted from outside",
    signal.SIGKILL: "it was killed from outside: by the kernel, when the machine ran out of memory, or by a person",
    signal.SIGTERM: "it was told to end from outside: a shutdown, an eviction, or a person",
    signal.SIGSEGV: "it touched memory that is not its own, usually in a native library",
    signal.SIGABRT: "it gave up by itself, usually a native library after a failed check",
    signal.SIGBUS: "it touched memory that is not there; in containers, often /dev/shm was full",
    signal.SIGILL: "it ran an instruction that this processor lacks: a library built for another one",
    signal.SIGFPE: "it divided a whole number by zero",
    signal.SIGPIPE: "whoever read what it wrote was gone",
    signal.SIGXCPU: "it used more processor time than it may",
    signal.SIGXFSZ: "it wrote a larger file than it may",
}


def meaning(code: int) -> str:
    """A clause that says what the code usually means; empty where it means what the job says it does."""
    if code in _USUAL:
        return _USUAL[code]
    try:
        number = signal.Signals(code - 128)
    except ValueError:
        return ""
    said = _SIGNALS.get(number)
    return f"{number.name}{f': {said}' if said else ', a signal that ended it'}"
