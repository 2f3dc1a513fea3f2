"""The collections of the index on disk: each a shard of the engine, made and removed at once, whatever crashes."""

import json
import re
import shutil
from pathlib import Path
from typing import Final

import qdrant_edge as edge

from craftlog.cli.embedded.qdrant_shapes import Json, UnsupportedError, vectors

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}")


class NotFoundError(Exception):
    """There is no such collection or point."""


class ExistsError(Exception):
    """There is already such a collection."""


class Collection:
    """The shard in ``folder/shard``; ``folder/vectors.json`` says what it was made with."""

    def __init__(self, folder: Path) -> None:
        self.vectors: Json = json.loads((folder / "vectors.json").read_text())
        self.shard = edge.EdgeShard.load(str(folder / "shard"))
        self._dirty = True  # what a write-ahead log still holds after a crash

    def update(self, operation: edge.UpdateOperation) -> None:
        """Apply a change; it is in the write-ahead log when this returns."""
        self._dirty = True
        self.shard.update(operation)

    def flush(self) -> None:
        """Write to the files what so far only the write-ahead log has."""
        if self._dirty:
            self.shard.flush()
            self._dirty = False

    def close(self) -> None:
        """Flush and let go of the files."""
        self.flush()
        self.shard.close()


class Index:
    """All collections under one folder, which nobody else may have open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        for unfinished in root.glob(".*"):
            shutil.rmtree(unfinished)
        self._collections = {folder.name: Collection(folder) for folder in root.iterdir()}

    def __contains__(self, name: str) -> bool:
        return name in self._collections

    def __getitem__(self, name: str) -> Collection:
        if name not in self._collections:
            raise NotFoundError(f"Not found: Collection `{name}` doesn't exist!")
        return self._collections[name]

    def create(self, name: str, params: Json) -> None:
        """Make an empty collection of vectors ``{size, distance}``.

        Raises:
            ExistsError: there is one of this name.
            UnsupportedError: the name or the vectors are not supported.
        """
        if not _NAME.fullmatch(name):
            raise UnsupportedError(f"collection name {name!r}: only letters, digits, '_', '-' and '.' are supported")
        if name in self:
            raise ExistsError(f"Wrong input: Collection `{name}` already exists!")
        config = edge.EdgeConfig(vectors=vectors(params))
        draft = self._root / f".new-{name}"
        shutil.rmtree(draft, ignore_errors=True)  # of an attempt that failed
        draft.mkdir()
        (draft / "vectors.json").write_text(json.dumps(params))
        edge.EdgeShard.create(str(draft / "shard"), config).close()
        draft.rename(self._root / name)
        self._collections[name] = Collection(self._root / name)

    def remove(self, name: str) -> bool:
        """Remove a collection and its files; return whether there was one."""
        if name not in self:
            return False
        self._collections.pop(name).close()
        gone = (self._root / name).rename(self._root / f".gone-{name}")
        shutil.rmtree(gone)
        return True

    def flush(self) -> None:
        """Flush every collection."""
        for collection in self._collections.values():
            collection.flush()

    def close(self) -> None:
        """Close every collection."""
        for collection in self._collections.values():
            collection.close()
