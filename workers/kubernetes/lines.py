"""The lines of an answer that goes on, such as a watch or a log that is followed."""

from __future__ import annotations

from collections.abc import Iterator

import urllib3


def lines(stream: urllib3.BaseHTTPResponse) -> Iterator[str]:
    """Each line as it comes; the last one also without its end."""
    rest = b""
    # Whole chunks, of whatever size: a watch is quiet most of the time.
    for chunk in stream.stream(amt=None, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
