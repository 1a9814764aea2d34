"""Each folder of cases/ is a data set found in the field; its expected.txt says what must happen.

That is one line, `kept A of B films, kept C of D ratings` or `refused: ` and the error, as a
regular expression. A new case is a new folder. Those in NAMES are copied to an odd name.
"""

import re
import shutil
from pathlib import Path

import pytest

from tasks.download import SourceError
from tasks.ingest.task import Ingest, ingest_ratings
from tasks.split.check_folds import DegenerateSplitError
from tasks.split.task import LeaveLast, split_ratings
from tasks.store.store import Store
from tasks.validate import validate_tables
from tasks.validate.enforce_limits import UnfitDataError
from tasks.validate.task import Validate, validate_ratings
from tests.rule_counts import count_violations

CASES = Path(__file__).parent / "cases"
NAMES = {
    "named-unicode-apostrophe": "it's Ünïcode 電影",
    "named-what-question": "what?",
    "named-brackets": "my data [v2]",
    "named-brackets-parquet": "parq [x]",
    "named-set-question": "set?",
    "named-set-star": "set*",
    "named-set1": "set1",
    "named-braces": "data {a,b} #1;--",
    "named-two-lines": "two\nlines",
    "named-home": "~",
}


def prepare(name, folder):
    """The validated ratings of a case, copied to `folder` under its own name, and their split."""
    source = folder / NAMES.get(name, name)
    shutil.copytree(CASES / name, source, ignore=shutil.ignore_patterns("expected.txt"))
    zips = [file for file in source.iterdir() if file.suffix.lower() == ".zip"]
    store = Store(folder / "store")
    raw = ingest_ratings.fn(config=Ingest(data=str(zips[0] if zips else source)), store=store)
    ratings = validate_ratings.fn(raw, config=Validate(), store=store)
    return ratings, split_ratings.fn(ratings, config=LeaveLast(), store=store)


@pytest.fixture(autouse=True)
def _without_great_expectations(monkeypatch):
    monkeypatch.setattr(validate_tables, "evaluate", count_violations)


def outcome(name, folder):
    """What happens to a case, as expected.txt has it."""
    try:
        ratings, _ = prepare(name, folder)
    except (SourceError, UnfitDataError, DegenerateSplitError) as error:
        return f"refused: {error}"
    counts = ratings.metadata["rows"]
    for rows in counts.values():
        assert rows["read"] == rows["kept"] + rows["quarantined"] + rows["deduplicated"]
    return ", ".join(f"kept {counts[r]['kept']} of {counts[r]['read']} {r}" for r in counts)


@pytest.mark.parametrize("name", sorted(case.name for case in CASES.iterdir()))
def test_a_case_is_read_or_refused_as_expected(name, tmp_path):
    expected = (CASES / name / "expected.txt").read_text().strip()
    assert re.fullmatch(expected, outcome(name, tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        "pq-list-genres",
        "json-genres",
        "comma-genres",
        "genres-semicolon",
        "genres-slash",
        "genres-tuple",
        "genre-tail-pipe",
        "genres-comma-blank",
        "genres-doubled",
        "genres-spaced-pipe",
    ],
)
def test_genres_are_split_whatever_their_form(name, tmp_path):
    ratings, _ = prepare(name, tmp_path)
    assert set(ratings.scan("films").collect()["genres"]) == {"Drama|Comedy"}


def test_nan_is_no_genre(tmp_path):
    ratings, _ = prepare("genres-nan", tmp_path)
    assert set(ratings.scan("films").collect()["genres"]) == {""}


def test_windows_1252_titles_keep_their_punctuation(tmp_path):
    ratings, _ = prepare("cp1252", tmp_path)
    films = ratings.scan("films").filter(film_id=31).select("title", "year").collect()
    assert films.rows() == [("Waiting… and Hoping (1999)", 1999)]


def test_several_rating_files_are_merged_with_a_warning(tmp_path, caplog):
    prepare("kaggle-two", tmp_path)
    assert "ratings are merged from ratings.csv, ratings_small.csv" in caplog.text


def test_the_documentation_has_the_number_of_cases():
    documented = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    assert f"the {len(list(CASES.iterdir()))} cases of `tests/field/cases`" in documented
