"""Resolves pyproject.toml into requirements.lock and requirements-cuda.lock: `make lock`.

Each package has one version and the SHA-256 of every wheel that its index has. Versions that are
locked already stay where they fit. The second file has what torch's CUDA build needs beside; its
CPU build, which pip takes where `find-links` has it, is another file of the same version, so that
both hashes stand beside torch.
"""

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
LOCK, CUDA = ROOT / "requirements.lock", ROOT / "requirements-cuda.lock"
OF_CUDA = re.compile("nvidia-|cuda-|triton==")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main() -> None:
    """Write both files."""
    known = _blocks(LOCK) + (_blocks(CUDA) if CUDA.exists() else [])
    found = [_with_local_hashes(block, known) for block in _resolve(known)]
    for file, of_cuda in ((LOCK, False), (CUDA, True)):
        chosen = [block for block in found if bool(OF_CUDA.match(block)) == of_cuda]
        file.write_text("".join(f"{block}\n" for block in chosen))


def _resolve(known: list[str]) -> list[str]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "lock.txt"
        file.write_text("\n".join(known))  # uv keeps these versions where it can
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "pyproject.toml"]
        uv += ["--extra=dev", "--extra=bench", "--extra=mlflow", "--generate-hashes"]
        uv += [
            "--only-binary=:all:",
            "--python-version=3.11",
            "--python-platform=linux",
            "--quiet",
            *sys.argv[1:],
        ]
        uv += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        subprocess.run([*uv, f"--output-file={file}"], cwd=ROOT, check=True)
        return _blocks(file)


def _blocks(file: Path) -> list[str]:
    """The text of each package, `name==version` with its hashes."""
    return [block for block in re.split(r"\n(?! )", file.read_text()) if "==" in block]


def _with_local_hashes(block: str, known: list[str]) -> str:
    """With the hashes of other builds of this version: of those in the lock, and on this disk."""
    pin = block.split()[0]
    hashes = set(HASH.findall(block))
    if pin.startswith("torch=="):
        hashes.update(*(HASH.findall(old) for old in known if old.split()[0] == pin))
        hashes.update(map(_sha256, _local_wheels(pin.replace("==", "-"))))
    return " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in sorted(hashes))])


def _local_wheels(stem: str) -> list[Path]:
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    folders = {Path(found) for found in re.findall(r"find-links='(/[^']+)'", listed)}
    return [wheel for folder in folders for wheel in folder.glob(f"{stem}+*.whl")]


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


if __name__ == "__main__":
    main()
