"""A file that is still being written to data/incoming is waited for, or left for the next run."""

import os
import time

import pytest

from tasks.download import SourceError
from tasks.ingest import incoming

HEAD, ROW = "userId,movieId,rating,timestamp\n", "7,1,3.5,1112486027\n"


@pytest.fixture
def arriving(tmp_path, monkeypatch):
    """A file, and what is written to it during each wait, in turn."""
    file, writes, waits = tmp_path / "more.csv", [], []
    file.write_text(HEAD + ROW)

    def sleep(seconds):
        waits.append(seconds)
        if writes:
            with file.open("a") as opened:
                opened.write(writes.pop(0))

    monkeypatch.setattr("tasks.ingest.incoming.time.sleep", sleep)
    return file, writes, waits


def names(folder):
    return [source.file.name for source in incoming.incoming_sources(folder)]


def test_a_file_at_rest_is_taken_at_once(arriving):
    file, _, waits = arriving
    os.utime(file, (time.time() - 60,) * 2)
    assert names(file.parent) == ["more.csv"]
    assert not waits


def test_a_new_file_is_taken_when_it_is_complete(arriving):
    file, writes, waits = arriving
    writes += [ROW, ROW]
    assert names(file.parent) == ["more.csv"]
    assert file.read_text().count("\n") == 4
    assert len(waits) == 3


def test_a_file_that_does_not_come_to_rest_is_left(arriving, caplog):
    file, writes, _ = arriving
    writes += [ROW] * 100
    assert names(file.parent) == []
    assert "more.csv is still being written: left for the next run" in caplog.text


def test_a_file_from_a_clock_that_is_ahead_is_taken(arriving):
    file, *_ = arriving
    os.utime(file, (time.time() + 3600,) * 2)
    assert names(file.parent) == ["more.csv"]


def test_a_link_to_a_file_elsewhere_is_refused(tmp_path):
    (tmp_path / "incoming").mkdir()
    (tmp_path / "secret.csv").write_text(HEAD + ROW)
    (tmp_path / "incoming" / "more.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(SourceError, match=r"more.csv is a link to a file elsewhere"):
        incoming.incoming_sources(tmp_path / "incoming", rest=0)
