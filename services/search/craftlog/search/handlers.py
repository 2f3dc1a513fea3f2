"""Answers what is asked of the index, once it has seen what the asker has written."""

import asyncio
from typing import Final

import structlog

from craftlog.contracts.questions import SearchAnswered, SearchAsked
from craftlog.llm.embeddings import Embedder
from craftlog.runtime.errors import UnavailableError
from craftlog.search.store import STALLED, SkillIndex

_PATIENCE: Final = 4.0
_LOOK_EVERY: Final = 0.05

logger = structlog.get_logger()


class Answers:
    """What this service answers; ``patience`` is how long, in seconds, a question waits for the index."""

    def __init__(self, index: SkillIndex, embedder: Embedder, *, patience: float = _PATIENCE) -> None:
        self._index = index
        self._embedder = embedder
        self._patience = patience

    async def experience(self, asked: SearchAsked) -> SearchAnswered:
        """Return the skills of a space that are near the query, nearest first; a space without any has none.

        An index that has not caught up, or cannot be reached, until patience ends is behind.
        """
        [vector] = await self._embedder.embed([asked.query])
        threshold = self._embedder.near if asked.threshold is None else asked.threshold
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            late = asyncio.get_running_loop().time() >= deadline
            try:
                reached = await self._reached(asked)
                if reached or late:
                    found = await self._index.search(
                        asked.project, asked.space_id, vector, limit=asked.limit, threshold=threshold
                    )
                    return SearchAnswered(cited_blocks=tuple(found), behind=not reached)
            except UnavailableError as error:
                if late:
                    logger.warning("search_unavailable", error=str(error))
                    return SearchAnswered(cited_blocks=(), behind=True)
            await asyncio.sleep(_LOOK_EVERY)

    async def _reached(self, asked: SearchAsked) -> bool:
        """Tell whether the index has seen what the asker knows, or stalled before and answers with what it has."""
        if asked.at_version == 0:
            return True
        head = (await self._index.heads([asked.space_id])).get(asked.space_id)
        if head is None or head["project"] != asked.project:
            return False
        return bool(head["version"] >= asked.at_version or head["type"] == STALLED)
