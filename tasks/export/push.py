"""Sends a folder to a repository of the Hugging Face hub, or leaves it in a folder."""

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from huggingface_hub import HfApi

from tasks.store.artifacts import Adapter, Prompts
from tasks.store.store import Store

REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
What = Literal["adapter", "prompts"]


def push(adapter: Adapter, to: str, what: What, store: Store, *, public: bool = False) -> str:
    """Write the adapter or its prompts to `to`; return where they are.

    `to` is owner/name on the hub (a new repository is private), or a folder, whose path begins
    with `/` or `.`. The hub's address and token are those of huggingface_hub: HF_ENDPOINT and
    HF_TOKEN. Raises PushError where the hub refuses.
    """
    write = WRITERS[what]
    if to.startswith(("/", ".", "~")):
        folder = Path(to).expanduser()
        write(folder, adapter, store)
        return str(folder)
    if not REPOSITORY.fullmatch(to):
        raise PushError(f'"{to}" is neither owner/name nor a folder: begin a path with ./ or /')
    kind = "dataset" if what == "prompts" else "model"
    with TemporaryDirectory() as temporary:
        message = write(Path(temporary), adapter, store)
        try:
            api = HfApi()
            api.create_repo(to, repo_type=kind, private=not public, exist_ok=True)
            commit = api.upload_folder(
                repo_id=to, repo_type=kind, folder_path=temporary, commit_message=message
            )
        except Exception as error:  # the hub's own errors, and those of its HTTP client
            raise PushError(f"the hub did not take {to}: {error}") from error
    return str(commit.commit_url)


class PushError(Exception):
    """What was typed names no target, or the hub did not take it."""


def _write_adapter(folder: Path, adapter: Adapter, store: Store) -> str:
    from tasks.export.adapter_folder import write_adapter_folder

    return f"adapter {adapter.fingerprint}, run {write_adapter_folder(folder, adapter, store)}"


def _write_prompts(folder: Path, adapter: Adapter, store: Store) -> str:
    from tasks.export.prompts_folder import write_prompts_folder

    prompts = store.ancestor(Prompts, adapter)
    return f"prompts {prompts.fingerprint}, {write_prompts_folder(folder, prompts)} rows"


WRITERS: dict[What, Callable[[Path, Adapter, Store], str]] = {
    "adapter": _write_adapter,
    "prompts": _write_prompts,
}
