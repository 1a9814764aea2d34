"""Mutated ratings and films are read or refused: no other error, and no row unaccounted for."""

import random
import shutil
import tempfile
from pathlib import Path

import pytest

from tasks.download import SourceError
from tasks.ingest.detect_format import detect_sources
from tasks.ingest.gather import gather, hash_sources

SEED = 20_261_125
RATINGS = b"userId,movieId,rating,timestamp\n" + b"".join(
    b"%d,%d,%d,%d\n" % (1 + n // 4, 1 + n % 4, 1 + n % 5, 1_112_486_027 + n) for n in range(12)
)
FILMS = b"movieId,title,genres\n" + b"".join(
    b'%d,"Film, The %d (199%d)",Drama|Comedy\n' % (n, n, n) for n in range(1, 5)
)
TOKENS = [
    b"", b",", b",,", b'"', b'""', b"\n", b"\r\n", b"\r", b"\n\n", b"\0", b"\x85", b"\xff", b"\t",
    b" ", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"NaN", b"inf", b"-1", b"1e400", b"99999999999", b"1.5",
    b"1.0", b"2005-04-03 00:10:37", b"2005-04-03T00:10:37Z", b"0000-00-00 00:00:00", b"::", b";",
    b"|", b"userId", b"timestamp", b"[{'name': 'Drama'}]", b"[" * 300, b"\\", b"#", b"x" * 3000,
]  # fmt: skip


def mutate(text: bytes, chance: random.Random) -> bytes:
    """The text with up to four changes: bytes, tokens, or whole lines."""
    for _ in range(chance.randint(0, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 0, 1, 3, 40]))
        kind = chance.random()
        if kind < 0.7:
            text = text[:start] + chance.choice(TOKENS) + text[end:]
        elif kind < 0.8:
            text = text[:start] + chance.randbytes(end - start) + text[end:]
        elif kind < 0.9:
            text = text.replace(*chance.sample(TOKENS[1:], 2), chance.randint(1, 20))
        else:
            lines = text.split(b"\n")
            chance.shuffle(lines)
            text = b"\n".join(lines)
    return text


def count_rows(file: Path) -> int:
    """The rows behind the header; a line end between quotes ends none, a blank line is none."""
    rows, open_row = [], b""
    for line in file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        open_row += line
        if open_row.count(b'"') % 2 == 0:
            rows.append(open_row)
            open_row = b""
    return sum(bool(row.decode(errors="replace").strip()) for row in rows[1:])


def ingest(ratings: bytes, films: bytes, folder: Path) -> None:
    """Read them; check the counts of whatever is not refused."""
    for name, text in {"ratings.csv": ratings, "movies.csv": films}.items():
        (folder / name).write_bytes(text)
    draft = folder / "draft"
    draft.mkdir()
    refusal = ""
    try:
        sources = hash_sources(detect_sources(folder.iterdir(), "fuzz"))
        counts = gather(sources, draft, as_of=None)["sources"]
    except SourceError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if refusal:
        return
    for hashed, count in zip(sources, counts, strict=True):
        if hashed.source.format.relation == "ratings":
            assert count["rows"] + count["rejected"] == count_rows(hashed.source.file)


def fuzz(inputs: int, folder: Path) -> None:
    for number in range(inputs):
        chance = random.Random(SEED + number)
        ratings, films = mutate(RATINGS, chance), mutate(FILMS, chance)
        case = Path(tempfile.mkdtemp(dir=folder))
        try:
            ingest(ratings, films, case)
        except Exception as error:
            raise AssertionError(f"input {number}: {ratings!r} {films!r}") from error
        shutil.rmtree(case)


def test_mutated_data_are_read_or_refused(tmp_path):
    fuzz(200, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_50_000_mutated_data_sets_are_read_or_refused(tmp_path):
    fuzz(50_000, tmp_path)
