"""What a job printed, as HTML: its colours and weights (ECMA-48, section 8.3.117) as classes, and no more of it."""

from __future__ import annotations

from html import escape

from rich.ansi import AnsiDecoder
from rich.color import Color, ColorSystem
from rich.style import Style
from rich.text import Text

from broker_config.store.logs import LogEntry

LONGEST_LINE = 20_000
"""Characters of one line that are shown; all of it is in the download."""

_WEIGHTS = ("bold", "dim", "italic", "underline", "strike", "reverse")


def as_html(entry: LogEntry) -> str:
    """The lines of a batch, each with its number where it is known."""
    decoder = AnsiDecoder()
    lines = (
        f'<li class="line {entry.stream}"{_number(entry, place)}>{_line(decoder, line)}</li>'
        for place, line in enumerate(entry.lines)
    )
    return f'<ol class="batch" data-position="{entry.id}">{"".join(lines)}</ol>'


def _number(entry: LogEntry, place: int) -> str:
    return f' value="{entry.before + place + 1}"' if entry.stream == "job" else ""


def _line(decoder: AnsiDecoder, line: str) -> str:
    # What a progress bar wrote over itself: the last of it is what a terminal shows.
    shown = line.rstrip("\r").rpartition("\r")[2][:LONGEST_LINE]
    if "\x1b" not in shown:
        return escape(shown)
    text = decoder.decode_line(shown)
    return "".join(_piece(piece) for piece in text.divide(sorted({at for span in text.spans for at in span[:2]})))


def _piece(piece: Text) -> str:
    words = [word for span in piece.spans if isinstance(span.style, Style) for word in _classes(span.style)]
    shown = escape(piece.plain)
    return f'<span class="{" ".join(words)}">{shown}</span>' if words and shown else shown


def _classes(style: Style) -> list[str]:
    found = [f"ansi-{name}" for name in _WEIGHTS if getattr(style, name)]
    found += [f"ansi-{_nearest(style.color)}"] if style.color else []
    return [*found, *([f"ansi-on-{_nearest(style.bgcolor)}"] if style.bgcolor else [])]


def _nearest(color: Color) -> int | str:
    """One of the sixteen colours of every terminal, which the page has in light and dark."""
    number = color.downgrade(ColorSystem.STANDARD).number
    return "default" if number is None else number
