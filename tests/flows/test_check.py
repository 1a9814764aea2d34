"""`advisor check`: what a run would read of a data set, and the line with which it would stop."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from flows.cli import app
from flows.commands import runs
from flows.errors import CommandError
from tasks.validate import validate_tables
from tests.rule_counts import count_violations

CASES = Path(__file__).resolve().parents[1] / "field" / "cases"


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder of temporary stores."""
    monkeypatch.setattr(validate_tables, "evaluate", count_violations)
    monkeypatch.setattr(runs, "configure_logging", lambda level: None)
    (folder := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def check(data, *options):
    app(["check", str(data), "--profile", "smoke", *options])


def refuse(data, *options):
    """The line that the command ends with."""
    with pytest.raises(CommandError) as refused:
        check(data, *options)
    return str(refused.value)


def test_good_data_are_described_and_the_store_is_deleted(temporary, capsys):
    check(CASES / "n-small")
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "ratings.csv ratings grouplens 1200 1200 0 0" in printed
    assert "movies.csv films grouplens 60 60 0 0" in printed
    assert printed[-3:] == [
        "ratings: 1 to 5 in steps of 1, by 40 users of 60 films, 2005-04-03 to 2005-05-13 "
        "(41 days)",
        "split leave-last-10: 720 ratings to train on, 80 validation targets, 400 test targets",
        "a run can start",
    ]
    assert not list(temporary.iterdir())


def test_json_has_every_row_accounted_for(capsys):
    check(CASES / "n-small", "--json", "--set", "split.n=5")
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert found["error"] is None
    assert found["split"]["test_targets"] == 5 * found["ratings"]["users"]
    for file in found["files"]:
        assert file["read"] == file["kept"] + file["deduplicated"] + file["quarantined"]


def test_refused_data_show_rule_line_and_text_and_the_line_of_a_run(capsys):
    error = refuse(CASES / "dat-colon-title", "--json")
    found = json.loads(capsys.readouterr().out)
    assert error.startswith("5 of 30 films go to quarantine, more than the 5% allowed")
    assert (found["ok"], found["error"]) == (False, error)
    assert found["quarantine"] == [
        {
            "relation": "films",
            "rule": "a row can be typed",
            "rows": 5,
            "source": "movies.dat",
            "line": 26,
            "detail": "too many fields: 26 A   B 26 (1999)",
        }
    ]
    assert found["warnings"] == ['25 films violate "the year of a film is known"']


def test_data_without_a_row_left_show_the_first_reject(capsys):
    assert refuse(CASES / "float-ids").startswith("120 of 120 ratings go to quarantine")
    assert "no user_id, film_id, rated_at can be read:" in capsys.readouterr().out


def test_data_without_ratings_are_refused_by_the_line_of_ingest():
    assert refuse(CASES / "netflix").startswith("no ratings in ")


def test_a_split_that_leaves_nothing_is_refused_after_the_figures_of_the_data(capsys):
    assert refuse(CASES / "n-all-short") == (
        "leave-last-10 leaves no rating to train on, of 40 users: lower split.n, or set split.share"
    )
    assert "by 40 users of" in capsys.readouterr().out
    check(CASES / "n-all-short", "--set", "split.n=2")
    assert "a run can start" in capsys.readouterr().out


def test_titles_are_printed_as_they_are(tmp_path, capsys):
    data = shutil.copytree(CASES / "n-small", tmp_path / "[bold]data")
    with (data / "movies.csv").open("a") as movies:
        movies.write('9999,"[/bold]\x07 closing",Drama\n')
    check(data)
    assert "[/bold]" in capsys.readouterr().out


def test_what_would_take_too_long_is_said_before_a_run():
    assert "prior.model: bayesian_fm would take" in refuse(
        CASES / "n-small", "--set", "max_hours=0.000001"
    )
