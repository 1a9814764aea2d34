"""What went wrong, in one line; the traceback is kept in a file unless the error is expected."""

import errno
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = "set CONTENT_ADVISOR_STORE (or PREFECT_HOME, for .prefect) to a folder of your own"
FREE = "free space there (`advisor gc` shows what nothing depends on), and start it again"
REMEDIES = {  # of what the system refuses
    errno.EACCES: f"give this user the right to it, or {ELSEWHERE}",
    errno.EPERM: f"give this user the right to it, or {ELSEWHERE}",
    errno.EROFS: ELSEWHERE,
    errno.ENOTDIR: "name a folder",
    errno.ENOSPC: FREE,
    errno.EDQUOT: FREE,
}


class CommandError(Exception):
    """What the person who typed a command should read, in one line."""


def error_message(run: Callable[[], object]) -> str | None:
    """Run it; return what went wrong in one line, with the file that has the rest, or None."""
    try:
        run()
    except CommandError as error:
        return " ".join(str(error).split())
    except KeyboardInterrupt:
        return "interrupted"
    except BrokenPipeError:  # the reader has closed: `advisor config | head`
        return None
    except Exception as error:
        return _expected(error) or f"{error}\n(where: {save_traceback(traceback.format_exc())})"
    return None


def _expected(error: Exception) -> str | None:
    """The message of an error that says itself what to do."""
    import httpx

    from flows.overrides import SettingsError
    from tasks.store.remote.errors import RemoteError
    from tasks.store.store import StoreBusyError, StoreError

    if isinstance(error, httpx.ConnectError):
        return f"the Prefect server is gone ({error}): start it, then the run again, which resumes"
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 401:
        return "the Prefect server wants its secret: set PREFECT_PROFILE=serve, not PREFECT_API_URL"
    if isinstance(error, OSError) and error.errno in REMEDIES:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}: {REMEDIES[error.errno]}"
    expected = (SettingsError, RemoteError, StoreBusyError, StoreError, FileNotFoundError)
    return str(error) if isinstance(error, expected) else None


def save_traceback(text: str) -> str:
    """Return the file that has it, or why there is none: the disk may be what failed."""
    file = ROOT / ".prefect" / "last-error.txt"
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    except OSError as error:
        return f"not kept, {error.strerror}"
    return str(file.relative_to(ROOT))
