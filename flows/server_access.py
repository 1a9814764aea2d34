"""Who may use this checkout's Prefect servers: processes of the user who can read a secret.

Whoever can post a deployment to a Prefect server makes its worker run any command.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from prefect.context import refresh_global_settings_context
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    get_current_settings,
    load_profiles,
    save_profiles,
)

from flows.overrides import SettingsError

PROFILE = "serve"  # `prefect --profile serve` talks to the server of `make serve`
CLIENT = "PREFECT_API_AUTH_STRING"
SERVER = "PREFECT_SERVER_API_AUTH_STRING"
ORIGINS = "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"


def secret_file() -> Path:
    """The file that holds the secret, in Prefect's own folder."""
    return get_current_settings().home.resolve() / "server-secret"


def read_secret() -> str:
    """The secret; the first call makes it. Raises SettingsError where others can read it."""
    file = secret_file()
    if file.parent.is_dir():
        file.parent.chmod(0o700)  # the database beside it holds the webhook's address
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile("w", dir=file.parent) as draft, suppress(FileExistsError):
            draft.write(f"advisor:{secrets.token_urlsafe(32)}")
            draft.flush()
            os.link(draft.name, file)  # where another process is faster, its secret stays
    found = file.stat()
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.getuid():
        raise SettingsError(f"others can read {file}: delete it, and a new secret is made")
    return file.read_text()


def save_profile(api: str) -> None:
    """Write the Prefect profile `serve`: the server's address and the client's half."""
    profiles = load_profiles()
    profiles.update_profile(PROFILE, {PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: read_secret()})
    save_profiles(profiles)
    if path := get_current_settings().profiles_path:
        path.chmod(0o600)


def protect_temporary_server() -> None:
    """Have the server that Prefect starts for a single run ask for the secret as well.

    It shares its database with the server of `make serve`, whose worker runs what is posted to
    either. Nothing changes where another server is configured.
    """
    settings = get_current_settings()
    if settings.api.url is None and settings.server.api.auth_string is None:
        os.environ.update(dict.fromkeys((CLIENT, SERVER), read_secret()))
        refresh_global_settings_context()
