"""A package is fetched by pip itself, from a folder of packages made here."""

import hashlib
import zipfile

import pytest

from tasks.wheel_data import WheelError, WrongWheelError, fetch_wheel


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index that holds one package, data-set 1.0; its file."""
    file = tmp_path / "index" / "data_set-1.0-py3-none-any.whl"
    file.parent.mkdir()
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: data-set\nVersion: 1.0\nRequires-Dist: nothing\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data_set/ratings.csv", "userId,movieId,rating,timestamp\n")
        for name, text in about.items():
            archive.writestr(f"data_set-1.0.dist-info/{name}", text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(file.parent))
    return file


def test_the_pinned_package_comes_once_and_without_what_it_requires(index, tmp_path):
    digest = hashlib.sha256(index.read_bytes()).hexdigest()
    file = fetch_wheel("data-set", "1.0", digest, tmp_path / "raw")
    assert file.read_bytes() == index.read_bytes()
    index.unlink()
    assert fetch_wheel("data-set", "1.0", digest, tmp_path / "raw") == file
    assert list((tmp_path / "raw").iterdir()) == [file]


def test_a_package_that_has_changed_since_is_fetched_again(index, tmp_path):
    digest = hashlib.sha256(index.read_bytes()).hexdigest()
    file = fetch_wheel("data-set", "1.0", digest, tmp_path / "raw")
    file.write_bytes(b"another")
    assert (
        fetch_wheel("data-set", "1.0", digest, tmp_path / "raw").read_bytes() == index.read_bytes()
    )


def test_another_package_than_the_pinned_one_is_refused_and_removed(index, tmp_path):
    with pytest.raises(WrongWheelError, match=r"data-set 1.0 has sha256 .*, not 0+: removed"):
        fetch_wheel("data-set", "1.0", "0" * 64, tmp_path / "raw")
    assert not list((tmp_path / "raw").iterdir())


def test_a_package_that_is_not_to_be_had_says_so(index, tmp_path):
    with pytest.raises(WheelError, match=r"pip cannot fetch data-set 2.0: .*from versions: 1.0"):
        fetch_wheel("data-set", "2.0", "0" * 64, tmp_path / "raw")
