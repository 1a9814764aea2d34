"""The expectations: one rule a line, as the SQL condition of a violation.

A condition is DuckDB's SQL over the columns of a row and those that relations.py adds: `first_line`
of a film in its file, `film_is_known` of a rating; `latest_year` and `newest_rating` are the last
ones that are not from the future. The relation `run` has one row about all data: `last_day` and
`usual_day` count ratings of the last day and of the median day of the four weeks before.
"""

from dataclasses import dataclass
from typing import Literal

from tasks.plain_text import MAX_LENGTH

Severity = Literal["quarantine", "warn"]
Relation = Literal["ratings", "films", "run"]
GENRES = (
    "Action|Adventure|Animation|Children|Children's|Comedy|Crime|Documentary|Drama|Fantasy|"
    "Film-Noir|Horror|IMAX|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)


@dataclass(frozen=True)
class Rule:
    """A row of `relation` violates the rule where `violation` is true or null."""

    name: str
    relation: Relation
    severity: Severity
    sentence: str
    violation: str


# Control characters, separators of lines and paragraphs, what stands for bytes of no character.
UNSHOWN = r"[\x00-\x1f\x7f-\x{9F}\x{2028}\x{2029}]|\x{FFFD}"


# fmt: off
RULES = (
    Rule("film_ids", "films", "quarantine", "the id of a film is positive", "film_id < 1"),
    Rule("title", "films", "quarantine", "a film has a title", "trim(title) = ''"),
    Rule("title_form", "films", "quarantine", "a title is one line of text", f"regexp_matches(title, '{UNSHOWN}')"),
    Rule("title_length", "films", "quarantine", f"a title has at most {MAX_LENGTH} characters", f"length(title) > {MAX_LENGTH}"),
    Rule("genres_length", "films", "quarantine", f"the genres of a film have at most {MAX_LENGTH} characters", f"length(genres) > {MAX_LENGTH}"),
    Rule("one_film", "films", "quarantine", "a film id names one film of a file", "line > first_line"),
    Rule("genres_form", "films", "quarantine", "genres are names separated by |", rf"regexp_matches(genres, '[\[\]{{}}]|{UNSHOWN}')"),
    Rule("year", "films", "warn", "the year of a film is known", "year is null"),
    Rule("year_range", "films", "warn", "a film's year is between 1870 and nine years from now", "coalesce(year, 1870) not between 1870 and latest_year"),
    Rule("genres", "films", "warn", "the genres of a film are listed", "genres = ''"),
    Rule("known_genres", "films", "warn", "the genres of a film are MovieLens'", f"genres <> '' and not regexp_full_match(genres, '(({GENRES.replace(chr(39), chr(39) * 2)})(\\||$))+')"),
    Rule("ids", "ratings", "quarantine", "ids are positive", "user_id < 1 or film_id < 1"),
    Rule("range", "ratings", "quarantine", "a rating is between 0.5 and 5", "rating not between 0.5 and 5"),
    Rule("step", "ratings", "quarantine", "a rating is a multiple of 0.5", "rating * 2 <> floor(rating * 2)"),
    Rule("past", "ratings", "quarantine", "a rating is from 1995 or later", "rated_at < timestamptz '1995-01-01 00:00:00+00'"),
    Rule("future", "ratings", "quarantine", "a rating is not from the future, a day aside for clocks that are wrong", "rated_at > newest_rating"),
    Rule("film", "ratings", "quarantine", "a rated film is in the films table", "not film_is_known"),
    Rule("volume", "run", "warn", "the last day has 1/20 to 20 times the ratings of the median day of the four weeks before", "last_day not between usual_day / 20 and usual_day * 20"),
)
# fmt: on
