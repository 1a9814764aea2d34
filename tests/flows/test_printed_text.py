"""Text from data is printed as it is: no markup, no character that acts on a terminal."""

import io
import json
import logging
from pathlib import Path

import pytest

from flows.alerts import Alert
from flows.console import configure_logging, print_garbage
from flows.recommend import print_recommendation
from flows.sql import run_query
from tasks.metrics_db import atomic_update
from tasks.plain_text import dump_json, escape_control, escape_markdown
from tasks.recommend.format import Recommendation, RecommendedFilm

TITLES = (
    "[/bold] closing (2001)", "[rec] (2007)", "[link=http://x]here[/link] (2000)", ":smile: (1999)",
)  # fmt: skip
ACTING = ("\x1b", "\x9b", "\x00", "\r", "\b", "\u202e", "\u2066", "\u2028", "\u2029", "\ufeff")


@pytest.fixture(autouse=True)
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty metrics database, and a terminal of 120 columns."""
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    with atomic_update(tmp_path / "artifacts" / "metrics.duckdb"):
        pass


def recommended(title: str) -> Recommendation:
    """One film of a title, because of a film of the same title that was typed."""
    film = RecommendedFilm(1, title, title, 4.0, 3.0, 5.0, 0.5, [{"title": title, "stars": 0.5}])
    typed = [{"title": title, "rating": 4.0, "replaces": None}]
    return Recommendation(user=None, typed=typed, films=[film])


@pytest.mark.parametrize("title", TITLES)
def test_a_title_with_brackets_is_printed_as_it_is(
    title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    quoted = title.replace("'", "''")
    run_query(f"select '{quoted}' as \"{title}\"")
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [title, title]
    print_recommendation(recommended(title))
    assert capsys.readouterr().out.count(title) >= 2
    print_garbage([{"kind": title, "folders": "1", "megabytes": "1"}], apply=False)
    assert title in capsys.readouterr().out


@pytest.mark.parametrize("character", ACTING)
def test_a_character_that_acts_is_shown_and_does_not_act(
    character: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ascii(character)[1:-1]
    if character != "\x00":
        run_query(f"select 'a' || chr({ord(character)}) || 'b' as text")
        assert f"a{shown}b" in capsys.readouterr().out
    print_recommendation(recommended(f"a{character}b"))
    printed = capsys.readouterr().out
    assert character not in printed
    assert printed.count(f"a{shown}b") >= 2
    alert = Alert(f"a{character}b", "run", "hint")
    assert alert.payload["summary"] == f"a{shown}b"
    assert character not in alert.payload["text"]


def test_a_line_break_in_a_cell_begins_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    run_query("select 'a' || chr(10) || 'b' as text")
    assert capsys.readouterr().out.split() == ["text", r"a\nb"]


def test_letters_of_every_script_and_emoji_stay() -> None:
    text = "電影 Amélie \U0001f468\u200d\U0001f469 می\u200cخواهم नमस्ते\u00a0é"
    assert escape_control(text) == text


def test_a_log_line_acts_on_nothing_and_begins_no_other() -> None:
    configure_logging()
    handler = logging.getLogger("flows").handlers[-1]  # the first sends to the server
    stream = handler.setStream(io.StringIO())
    record = logging.LogRecord("flows", 20, "", 0, "%s", ("\x1b[2J\u202e\n12:00:00  fine",), None)
    line = handler.format(record)
    handler.setStream(stream)
    assert line.splitlines()[0].endswith(r"\x1b[2J\u202e")
    assert line.splitlines()[1].startswith(" ")


def test_json_and_markdown_hold_the_text_without_what_acts() -> None:
    text = "\x9b\u202e[x](http://y) **b**"
    assert json.loads(dump_json({"title": text})) == {"title": text}
    assert not set("\x9b\u202e") & set(dump_json({"title": text}))
    assert escape_markdown("[x](y) **b**") == r"\[x\]\(y\) \*\*b\*\*"
