"""A source that cannot be read is refused with one clear line: file, line, remedy."""

import gzip
import os
import struct
import zipfile

import polars as pl
import pytest

from tasks.download import SourceError
from tasks.ingest import bounds
from tasks.ingest.task import Ingest, ingest_ratings
from tasks.ingest.unpacked import HASHES
from tasks.store.store import Store

HEAD, T = "userId,movieId,rating,timestamp\n", 1112486027
FILM_HEAD = "movieId,title,genres\n"
MOVIES = FILM_HEAD + "1,Toy Story (1995),Comedy\n2,Heat (1995),Crime\n"
GOOD = {"ratings.csv": f"{HEAD}7,1,3.5,{T}\n", "movies.csv": MOVIES}


def ratings(text):
    """A folder with these ratings, and films."""
    return GOOD | {"ratings.csv": text}


def zipped(folder, members):
    file = folder / "set.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return file


def bomb(folder):
    return zipped(folder, [("ratings.csv", b"0" * 150_000_000)])


def broken_off(folder):
    file = zipped(folder, GOOD.items())
    file.write_bytes(file.read_bytes()[:100])
    return file


def locked(folder):
    file = zipped(folder, GOOD.items())
    data = bytearray(file.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark)
        data[at + place : at + place + 2] = struct.pack("<H", 1)
    file.write_bytes(data)
    return file


def damaged(folder):
    file = zipped(folder, [("ratings.csv", os.urandom(1000)), ("movies.csv", MOVIES)])
    data = bytearray(file.read_bytes())
    data[500] ^= 255
    file.write_bytes(data)
    return file


def linked(folder, target):
    for name, text in GOOD.items():
        (folder / name).write_text(text)
    (folder / "ratings.csv").unlink()
    (folder / "ratings.csv").symlink_to(target)
    return folder


def outside(folder):
    file = folder.parent / "secret.csv"
    file.write_text(GOOD["ratings.csv"])
    return file


def one_value(folder, rows):
    """So many equal ratings in a few kilobytes."""
    (folder / "movies.csv").write_text(MOVIES)
    ones = pl.repeat(1, rows, eager=True, dtype=pl.Int32)
    table = {"userId": ones, "movieId": ones, "rating": ones, "timestamp": ones}
    pl.DataFrame(table).write_parquet(folder / "ratings.parquet")
    return folder


def directory(folder):
    (folder / "ratings.csv").mkdir()
    (folder / "movies.csv").write_text(MOVIES)
    return folder


# name: the files of a folder, or what makes the source in a folder; then the error
REFUSED = {
    "nothing at all": ({}, r"no ratings in .*: it holds nothing"),
    "no such path": (lambda folder: folder / "gone", 'no data ".*gone": it is no folder'),
    "empty file": (ratings(""), r"ratings.csv \(empty\).*; ratings have the columns userId"),
    "only a newline": (ratings("\n"), r"ratings.csv .*; ratings have the columns userId"),
    "header only": (ratings(HEAD), "ratings.csv: there are no ratings behind"),
    "no header": (ratings(f"7,1,3.5,{T}\n"), r"ratings.csv \(7, 1, 3.5, .*ratings have the col"),
    "missing column": (ratings("userId,movieId,rating\n7,1,3\n"), r"\(userId, movieId, rating\)"),
    "renamed column": (ratings(HEAD.replace("userId", "user")), r"ratings.csv \(user, movieId"),
    "column twice": (ratings(HEAD.strip() + ",rating\n"), 'ratings.csv: two .* "rating": keep one'),
    "semicolons": (ratings(HEAD.replace(",", ";")), r"ratings.csv \(userId;movieId"),
    "UTF-16": (ratings(HEAD.encode("utf-16")), "ratings.csv is UTF-16, .*: convert it"),
    "gzip by another name": (ratings(gzip.compress(HEAD.encode())), "ratings.csv is gzip"),
    "truncated gzip": (
        {"ratings.csv.gz": gzip.compress(b"x" * 999)[:20], "movies.csv": MOVIES},
        r"ratings.csv.gz \(packed: unpack it\)",
    ),
    "old Mac": (ratings(HEAD.replace("\n", "\r")), "ratings.csv ends its lines by carriage"),
    "milliseconds": (ratings(f"{HEAD}7,1,3,{T}000\n"), "ratings.csv: .*: divide it by 1000"),
    "quote left open": (ratings(f'{HEAD}7,"1,3,{T}\n7,2,3,{T}\n'), r"ratings.csv, line 2: the quo"),
    "quote left open at the end": (ratings(f'{HEAD}7,1,3,{T}\n7,2,3,"{T}'), r"ratings.csv, line 3"),
    "quote inside a field": (
        ratings(f'{HEAD}7,1"2,3,{T}\n7,2"1,3,{T}\n'),
        r"ratings.csv, line 2: a quote inside a field: remove it",
    ),
    "quote closed a thousand lines on": (
        ratings(f'{HEAD}7,1,3,{T}\n7,"1,3,{T}\n' + f"7,2,3,{T}\n" * 999 + f'7,1",3,{T}\n'),
        r"ratings.csv, line 3: the quote that opens here is not closed",
    ),
    "quote left open in films": (
        GOOD | {"movies.csv": MOVIES + '3,"Amélie (2001),Drama\n'},
        r"movies.csv, line 4: the quote",
    ),
    "film with a line too long": (
        GOOD | {"movies.csv": f"{FILM_HEAD}116,{'A' * 200_000} (1995),War\n"},
        r"movies.csv, line 2: field larger than",
    ),
    "no films": ({"ratings.csv": GOOD["ratings.csv"]}, r"no films in .*ratings.csv \(userId"),
    "no Parquet": (GOOD | {"ratings.parquet": "hello"}, "ratings.parquet is no whole Parquet file"),
    "broken-off Parquet": (
        GOOD | {"more-ratings.parquet": b"PAR1" + b"\0" * 50},
        "more-ratings.parquet is no whole Parquet file",
    ),
    "directory in place of a file": (directory, r"ratings.csv \(a folder\)"),
    "link to nowhere": (lambda f: linked(f, "gone"), r"ratings.csv \(a link to nowhere\)"),
    "link to itself": (lambda f: linked(f, "ratings.csv"), r"ratings.csv \(a link to nowhere\)"),
    "link to a file elsewhere": (
        lambda f: linked(f, outside(f)),
        "ratings.csv is a link to a file elsewhere: copy the file",
    ),
    "zip bomb": (bomb, "set.zip would grow from .*: not unpacked"),
    "zip bomb in small parts": (
        lambda f: zipped(f, [(f"{n}.csv", b"0" * 20_000_000) for n in range(10)]),
        "set.zip would grow from .* to 200000000 bytes, more than 200 times: not unpacked",
    ),
    "Parquet of one value": (
        lambda f: one_value(f, 40_000_000),
        "ratings.parquet would grow from .* more than 200 times|ratings.parquet has 40000000 rows",
    ),
    "broken-off zip": (broken_off, "set.zip is no whole zip that can be read"),
    "locked zip": (locked, "set.zip is no whole zip that can be read: .*password"),
    "damaged zip": (damaged, "set.zip is no whole zip that can be read: "),
    "zip with one name twice": (
        lambda f: zipped(f, [("a/movies.csv", MOVIES), ("b/movies.csv", MOVIES)]),
        "set.zip holds movies.csv twice",
    ),
    "empty zip": (lambda f: zipped(f, []), "it holds nothing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_source_that_cannot_be_read_is_refused_with_one_clear_line(tmp_path, name):
    made, message = REFUSED[name]
    folder = tmp_path / "source"
    folder.mkdir()
    for file, text in ({} if callable(made) else made).items():
        (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    source = made(folder) if callable(made) else folder
    store = Store(tmp_path)
    with pytest.raises(SourceError, match=message) as raised:
        ingest_ratings.fn(config=Ingest(data=str(source)), store=store)
    assert "\n" not in str(raised.value)
    artifacts = (tmp_path / "data").glob("raw-ratings/[!.]*")
    unpacked = (tmp_path / "data" / "raw").glob("[!.]*")
    assert not [*artifacts, *unpacked]


def test_a_zip_cannot_write_outside_of_its_folder(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    file = zipped(folder, [(f"../../{name}", text) for name, text in GOOD.items()])
    raw = ingest_ratings.fn(config=Ingest(data=str(file)), store=Store(tmp_path))
    assert raw.manifest["rows"]["ratings"] == 1
    assert not [*tmp_path.glob("*.csv"), *folder.glob("*.csv")]


def test_only_tables_and_texts_on_their_use_are_unpacked(tmp_path):
    others = {"run.sh": "#!", "README.txt": "for research", "inner/x.zip": "PK"}
    file = zipped(tmp_path, [*GOOD.items(), *others.items()])
    ingest_ratings.fn(config=Ingest(data=str(file)), store=Store(tmp_path))
    (folder,) = (tmp_path / "data" / "raw").glob("set-*")
    unpacked = [HASHES, "README.txt", "movies.csv", "ratings.csv"]
    assert sorted(f.name for f in folder.iterdir()) == unpacked


def test_a_file_of_too_many_rows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(bounds.MAX_ROWS, "films", 2)
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=r"movies.csv has 3 films, more than 2: use a part"):
        ingest_ratings.fn(config=Ingest(data=str(tmp_path)), store=Store(tmp_path / "store"))
