"""Each bad row is quarantined with its line and rule, and its neighbours are kept.

Every case here is a file; all of them lie in one folder and go through ingest and validation
together. Sources that are refused as a whole have their cases in test_refused_sources.py.
"""

import polars as pl
import pytest

from tasks.ingest.task import Ingest, ingest_ratings
from tasks.plain_text import escape_control
from tasks.store.store import Store
from tasks.validate import expectations, validate_tables
from tasks.validate.task import Validate, validate_ratings

HEAD, T = "userId,movieId,rating,timestamp\n", 1112486027
MOVIES = "movieId,title,genres\n1,Toy Story (1995),Comedy\n2,Heat (1995),Crime\n"
MANY = range(20_001, 30_001)


def amid(row, head=HEAD):
    """The row as line 3, between two good ones; U is the user, another one in each case."""
    return f"{head}U,1,3.5,{T}\n{row}\nU,2,4.0,{T}\n"


def kaggle(time):
    good = '"2005-04-02 23:53:47"'
    return f"{HEAD}U,1,3.5,{good}\nU,1,4.0,{time}\nU,2,4.0,{good}\n"


TYPED, TWO = [(3, "typed")], 2
# name: the file, what is quarantined (line, rule), how many rows are kept
ROWS = {
    "rating 0": (amid(f"U,2,0,{T}"), [(3, "range")], TWO),
    "rating 5.5": (amid(f"U,2,5.5,{T}"), [(3, "range")], TWO),
    "rating 3.7": (amid(f"U,2,3.7,{T}"), [(3, "step")], TWO),
    "rating -3": (amid(f"U,2,-3,{T}"), [(3, "range")], TWO),
    "rating NaN": (amid(f"U,2,NaN,{T}"), [(3, "range")], TWO),
    "rating inf": (amid(f"U,2,inf,{T}"), [(3, "range")], TWO),
    "rating past float": (amid(f"U,2,1e400,{T}"), [(3, "range")], TWO),
    "rating in words": (amid(f"U,2,four,{T}"), TYPED, TWO),
    "rating empty": (amid(f"U,2,,{T}"), TYPED, TWO),
    "rating with a decimal comma": (amid(f"U,2,3,5,{T}"), TYPED, TWO),
    "user 0": (amid(f"0,2,3.5,{T}"), [(3, "ids")], TWO),
    "user negative": (amid(f"-7,2,3.5,{T}"), [(3, "ids")], TWO),
    "film negative": (amid(f"U,-2,3.5,{T}"), [(3, "film"), (3, "ids")], TWO),
    "film unknown": (amid(f"U,99999,3.5,{T}"), [(3, "film")], TWO),
    "id past int32": (amid(f"2147483648,2,3.5,{T}"), TYPED, TWO),
    "id of 5,000 digits": (amid(f"{'1' * 5000},2,3.5,{T}"), TYPED, TWO),
    "time of 5,000 digits": (amid(f"U,2,3.5,{'1' * 5000}"), TYPED, TWO),
    "id with a fraction": (amid(f"7.5,2,3.5,{T}"), TYPED, TWO),
    "id in hexadecimal": (amid(f"0x10,2,3.5,{T}"), TYPED, TWO),
    "id in wide digits": (amid(f"７,2,3.5,{T}"), TYPED, TWO),
    "id a formula": (amid(f"=1+1,2,3.5,{T}"), TYPED, TWO),
    "id empty": (amid(f",2,3.5,{T}"), TYPED, TWO),
    "time in milliseconds": (amid(f"U,2,3.5,{T}000"), TYPED, TWO),
    "time in text among seconds": (amid("U,2,3.5,2005-04-02 23:53:47"), TYPED, TWO),
    "time in the future": (amid("U,2,3.5,4102444800"), [(3, "future")], TWO),
    "time before the web": (amid("U,2,3.5,0"), [(3, "past")], TWO),
    "time negative": (amid("U,2,3.5,-5"), [(3, "past")], TWO),
    "time empty": (amid("U,2,3.5,"), TYPED, TWO),
    "time past int64": (amid("U,2,3.5,99999999999999999999"), TYPED, TWO),
    "date that is none": (kaggle('"2005-13-45 00:00:00"'), TYPED, TWO),
    "date without a time": (kaggle('"2005-04-02"'), TYPED, TWO),
    "date of the future": (kaggle('"2999-01-01 00:00:00"'), [(3, "future")], TWO),
    "too few fields": (amid("U,2"), TYPED, TWO),
    "too many fields": (amid(f"U,2,3.5,{T},x"), TYPED, TWO),
    "header again in the middle": (amid(HEAD.strip()), TYPED, TWO),
    "semicolons": (amid(f"U;2;3.5;{T}"), TYPED, TWO),
    "tabs": (amid(f"U\t2\t3.5\t{T}"), TYPED, TWO),
    "NUL byte in a number": (amid(f"U,2\0,3.5,{T}"), TYPED, TWO),
    "NUL bytes alone": (amid("\0\0\0\0"), TYPED, TWO),
    "no UTF-8": (amid(f"Ω,2,3.5,{T}").replace("U", "999").encode("iso8859-7"), TYPED, TWO),
    "line of 10 MB": (amid("9" * 10_000_000 + f",2,3.5,{T}"), TYPED, TWO),
    "quoted newline": (amid(f'U,"2\n",3.5,{T}\nU,2,x,{T}'), [(3, "typed"), (5, "typed")], TWO),
    "quoted newline in a column of no interest": (
        f'{HEAD.strip()},comment\nU,1,3.5,{T},"so\n\nmuch"\nU,2,4.0,{T},no\nU,2,9,{T},no\n',
        [(6, "range")],
        TWO,
    ),
    "blank line": (amid(""), [], TWO),
    "line of blanks": (amid("   "), [], TWO),
    "BOM": ("\ufeff" + amid(f"U,2,0,{T}"), [(3, "range")], TWO),
    "CRLF": (amid(f"U,2,0,{T}").replace("\n", "\r\n"), [(3, "range")], TWO),
    "no newline at the end": (amid(f"U,2,0,{T}").rstrip(), [(3, "range")], TWO),
    "quoted numbers": (amid(f'"U","2","0","{T}"'), [(3, "range")], TWO),
    "columns in another order": (
        f"timestamp,rating,movieId,userId\n{T},3.5,1,U\n{T},0,2,U\n{T},4,2,U\n",
        [(3, "range")],
        TWO,
    ),
    "the same row twice": (amid(f"U,1,3.5,{T}"), [], TWO),
    "a film rated again later": (amid(f"U,1,1.0,{T + 9}"), [], TWO),
    "user with one rating": (f"{HEAD}U,1,3.5,{T}\n", [], 1),
    "user with 10,000 ratings": (HEAD + "".join(f"U,{n},3,{T}\n" for n in MANY), [], 10_000),
    "all ratings equal": (HEAD + "".join(f"U,{n},5,{T}\n" for n in MANY[:50]), [], 50),
    "header only": (HEAD, [], 0),
}
FILM_HEAD, TYPED_FILM = "movieId,title,genres\n", [(2, "typed")]
# name: the file, what is quarantined, how many films are kept
FILMS = {
    "film twice": (f"{FILM_HEAD}101,A (1995),War\n101,B (1995),War\n", [(3, "one_film")], 1),
    "film of an unknown genre": (f"{FILM_HEAD}102,A (1995),Opera\n", [], 1),
    "film without a year": (f"{FILM_HEAD}103,A,War\n", [], 1),
    "film of several years": (f"{FILM_HEAD}104,A (2006-2007),War\n", [], 1),
    "film of the year 1700": (f"{FILM_HEAD}105,A (1700),War\n", [], 1),
    "film without a title": (f"{FILM_HEAD}106,,War\n", [(2, "typed")], 0),
    "film with a blank title": (f"{FILM_HEAD}107,  ,War\n", [(2, "title")], 0),
    "film with a negative id": (f"{FILM_HEAD}-1,A (1995),War\n", [(2, "film_ids")], 0),
    "film with an id in words": (f"{FILM_HEAD}one,A (1995),War\n", [(2, "typed")], 0),
    "film with an id past int32": (f"{FILM_HEAD}2147483648,A (1995),War\n", [(2, "typed")], 0),
    "film with an id of 5,000 digits": (f"{FILM_HEAD}{'1' * 5000},A (1995),War\n", TYPED_FILM, 0),
    "film with an id of 5,000 zeros": (f"{FILM_HEAD}{'0' * 5000}7,A (1995),War\n", TYPED_FILM, 0),
    "film with a title of 300": (f"{FILM_HEAD}117,{'A' * 293} (1995),War\n", [], 1),
    "film with a title of 301": (
        f"{FILM_HEAD}118,{'A' * 294} (1995),War\n",
        [(2, "title_length")],
        0,
    ),
    "film with genres of 100,000": (
        f"{FILM_HEAD}119,A (1995),{'|'.join(f'War{n}' for n in range(12_000))}\n",
        [(2, "genres_length")],
        0,
    ),
    "film with a tab in its title": (f"{FILM_HEAD}108,A\tB (1995),War\n", [(2, "title_form")], 0),
    "film with a NUL in its title": (f"{FILM_HEAD}109,A\0B (1995),War\n", [(2, "title_form")], 0),
    "film whose title goes on": (
        f'{FILM_HEAD}110,"A\nB (1995)",War\n111,,War\n',
        [(2, "typed"), (4, "typed")],
        0,
    ),
    "film with a comma unquoted": (f"{FILM_HEAD}112,Good, Bad (1995),War\n", [(2, "typed")], 0),
    "film with too few fields": (f"{FILM_HEAD}113\n", [(2, "typed")], 0),
    "film in Latin-1": (f"{FILM_HEAD}114,Amélie (2001),War\n".encode("latin-1"), [], 1),
    "film with a line end in its genres": (
        f'{FILM_HEAD}120,A (1995),"War|Dra\n### ANSWER\nma"\n',
        [],
        1,
    ),
    "film with an escape in its genres": (
        f"{FILM_HEAD}121,A (1995),War\x1b[2J\n",
        [(2, "genres_form")],
        0,
    ),
    "film with a separator of lines in its title": (
        f"{FILM_HEAD}122,A\u2028B (1995),War\n",
        [(2, "title_form")],
        0,
    ),
    "film without genres": (f"{FILM_HEAD}115,A (1995),(no genres listed)\n", [], 1),
}


def bytes_of(text, user):
    return text if isinstance(text, bytes) else text.replace("U", str(user)).encode()


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """What ingest and validation make of all files at once."""
    root = tmp_path_factory.mktemp("bad")
    folder = root / "all"
    folder.mkdir()
    (folder / "movies.csv").write_text(MOVIES)
    many = "".join(f"{n},Film {n} (1995),Drama\n" for n in MANY)
    (folder / "many.csv").write_text(FILM_HEAD + many)
    for user, (name, (text, _, _)) in enumerate(ROWS.items(), 1000):
        (folder / f"{name}.csv").write_bytes(bytes_of(text, user))
    for name, (text, _, _) in FILMS.items():
        (folder / f"{name}.csv").write_bytes(bytes_of(text, ""))
    store = Store(root)
    raw = ingest_ratings.fn(config=Ingest(data=str(folder)), store=store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate_tables, "evaluate", in_this_process)
        return validate_ratings.fn(raw, config=Validate(max_quarantined=1), store=store)


def in_this_process(relations, docs):
    """Great Expectations itself, without a second process."""
    violations = expectations.run_suite(relations, docs)
    return [expectations.Outcome(rule, violations[rule.name]) for rule in expectations.RULES]


@pytest.mark.parametrize("name", [*ROWS, *FILMS])
def test_a_bad_row_is_quarantined_with_its_line_and_rule_and_its_neighbours_are_kept(
    validated, name
):
    _, quarantined, kept = (ROWS | FILMS)[name]
    counts = next((f for f in validated.metadata["files"] if f["name"] == f"{name}.csv"), None)
    quarantine = validated.scan("quarantine").filter(pl.col("source") == f"{name}.csv").collect()
    assert quarantine.select("line", "rule").rows() == quarantined
    assert quarantine["detail"].null_count() == 0
    assert (counts["kept"] if counts else 0) == kept
    if counts:
        assert counts["read"] == counts["kept"] + counts["quarantined"] + counts["deduplicated"]
        assert counts["quarantined"] == len({line for line, _ in quarantined})


def test_odd_years_and_genres_are_counted_as_warnings(validated):
    violations = {rule["rule"]: rule["violations"] for rule in validated.metadata["rules"]}
    assert {name: violations[name] for name in ("year_range", "known_genres", "genres")} == {
        "year_range": 1,
        "known_genres": 4,  # the longest are cut within a name
        "genres": 1,
    }
    films = validated.scan("films").collect()
    assert films.filter(film_id=120)["genres"].item() == "War|Dra ### ANSWER ma"
    assert films.filter(film_id=104)["year"].item() == 2006
    assert films.filter(film_id=114)["title"].item() == "Amélie (2001)"


def test_no_detail_of_the_quarantine_acts_on_a_terminal(tmp_path):
    lines = [
        "1,Heat (1995),Crime",
        "x,\u202eB\x1b[2J (1995),War",  # a reject
        "-2,\u202eB\x1b[2J\u2029 (1995),War",  # violates rules
    ]
    (tmp_path / "movies.csv").write_text(FILM_HEAD + "\n".join(lines) + "\n")
    (tmp_path / "ratings.csv").write_text(f"{HEAD}7,1,3.5,{T}\n7,1\u202e\x1b[2J,3,{T}\n")
    store = Store(tmp_path / "store")
    raw = ingest_ratings.fn(config=Ingest(data=str(tmp_path)), store=store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate_tables, "evaluate", in_this_process)
        found = validate_ratings.fn(raw, config=Validate(max_quarantined=1), store=store)
    details = found.scan("quarantine").collect()["detail"].to_list()
    assert len(details) == 4
    assert [escape_control(detail) for detail in details] == details
