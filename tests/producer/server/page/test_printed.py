"""What jobs print, as HTML."""

from __future__ import annotations

import pytest

from broker_config.store.logs import LogEntry
from producer.server.page.printed import as_html


def shown(*lines: str) -> list[str]:
    """What stands in each line."""
    html = as_html(LogEntry("5-0", "job", list(lines), before=7))
    return [part.split(">", 1)[1] for part in html.split("</li>")[:-1] for part in [part.split("<li", 1)[1]]]


@pytest.mark.parametrize(
    ("printed", "html"),
    [
        ("plain", "plain"),
        ("<script>", "&lt;script&gt;"),
        ("\x1b[31mred\x1b[0m and not", '<span class="ansi-1">red</span> and not'),
        ("\x1b[1;32mbold green\x1b[0m", '<span class="ansi-bold ansi-2">bold green</span>'),
        ("\x1b[38;5;196mof 256\x1b[0m", '<span class="ansi-1">of 256</span>'),
        ("\x1b[48;2;0;128;0mon green\x1b[0m", '<span class="ansi-on-2">on green</span>'),
        ("\x1b[31m<b>\x1b[0m", '<span class="ansi-1">&lt;b&gt;</span>'),
        ("\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[2Jcleared\x1b[3A", "cleared"),
        (" 10%\r 50%\r100%", "100%"),
        ("done\r", "done"),
        ("", ""),
    ],
)
def test_a_line_keeps_its_colours_and_nothing_else(printed: str, html: str) -> None:
    assert shown(printed) == [html]


def test_a_colour_goes_on_until_it_ends() -> None:
    assert shown("\x1b[31mone", "two\x1b[0m", "three") == [
        '<span class="ansi-1">one</span>',
        '<span class="ansi-1">two</span>',
        "three",
    ]


def test_lines_have_the_numbers_of_the_job() -> None:
    html = as_html(LogEntry("5-0", "job", ["a", "b"], before=7))
    assert html.startswith('<ol class="batch" data-position="5-0"><li class="line job" value="8">a</li>')


def test_a_very_long_line_is_cut() -> None:
    (line,) = shown("x" * 100_000)
    assert len(line) == 20_000
