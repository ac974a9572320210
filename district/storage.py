"""Where photos are kept: content-hash names in a folder outside every static path."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Protocol


class PhotoStore(Protocol):
    """Keeps bytes under a name. Saving the same name twice is harmless."""

    def save(self, name: str, content: bytes) -> None: ...

    def read(self, name: str) -> bytes | None:
        """The bytes, or None when there are none under this name."""
        ...

    def delete(self, name: str) -> None:
        """Keep nothing under this name any more; harmless where nothing was."""
        ...


class FolderStore:
    """Photos in a local folder, 256 sub-folders by the first two letters of the name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, content: bytes) -> None:
        path = self._path(name)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: a reader never sees half a picture, a crash leaves none.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)

    def read(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not name.replace("-", "").replace(".", "").isalnum() or ".." in name:
            raise ValueError("not a photo's name")
        return self.folder / name[:2] / name


def make_store(address: str) -> PhotoStore:
    """The store an address names: a folder's path. Other kinds raise ValueError with what is understood."""
    if "://" in address:
        raise ValueError("PHOTO_STORE must be a folder")
    return FolderStore(Path(address).expanduser().absolute())
