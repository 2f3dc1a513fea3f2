"""Spaces, their blocks, what waits for a person, and tools, as the document describes them."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from craftlog.gateway.document.said import Flag, Id, Made, Page, Said, Sent, Shape, Times
from craftlog.gateway.fields import Json


class Space(Times):
    """Where skills live."""

    id: Id
    project_id: Id
    configs: Json | None


class Block(Times):
    """A node of a space's tree; ``engine`` learned it, if anybody did."""

    id: Id
    space_id: Id
    type: Literal["folder", "page", "sop", "text"]
    parent_id: Id | None
    title: str
    props: Json
    sort: int
    is_archived: bool
    engine: str | None


class Hit(Shape):
    """A block that was found; ``distance`` is the cosine distance."""

    block_id: Id
    title: str
    type: Literal["sop", "text"]
    props: Json
    distance: float | None
    engine: str | None


class SearchResult(Shape):
    """What was found, nearest first."""

    cited_blocks: list[Hit]


class Step(Shape):
    """What is done with one tool."""

    tool_name: str
    action: str


class Skill(Shape):
    """How something is done."""

    use_when: str
    preferences: str
    tool_sops: list[Step]


class Proposed(Shape):
    """What waits to be filed."""

    type: Literal["sop"]
    data: Skill


class Experience(Times):
    """A skill that waits for a person."""

    id: Id
    space_id: Id
    task_id: Id | None
    experience_data: Proposed


class Tool(Shape):
    """A tool, and how many steps of skills use it."""

    name: str
    sop_count: int


class NewSpace(Sent):
    """A place for skills to begin."""

    configs: Json | None = None


class SpaceConfigs(Sent):
    """Configs in the place of those before."""

    configs: Json


class NewBlock(Sent):
    """A node of a space's tree."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "page", "title": "Tea"}]})

    type: Literal["folder", "page", "sop", "text"]
    parent_id: Id | Literal[""] | None = None
    title: str | None = None
    props: Json | None = None


class BlockProperties(Sent):
    """What a block is to say; props are replaced as a whole."""

    title: str | None = None
    props: Json | None = None


class BlockPlace(Sent):
    """The place of a block among its siblings, counted from 0."""

    sort: int | None = None


class BlockMove(BlockPlace):
    """Where a block goes: to the root where no parent is named."""

    parent_id: Id | Literal[""] | None = None


class Confirmation(Sent):
    """Whether a skill is kept."""

    save: bool


class ToolName(Sent):
    """Which name another takes the place of; in camelCase it is understood as well."""

    old_name: str
    new_name: str


class ToolNames(Sent):
    """Names to be replaced, in all spaces of the project."""

    rename: Annotated[list[ToolName], Field(min_length=1)]


_CONFIRMATION: Final = Said(Experience | None, Confirmation)
ROUTES: Final[dict[str, Said]] = {
    "GET /space": Said(Page[Space], refusals=(501,)),
    "POST /space": Said(Space, NewSpace, needed=False, keyed=True, refusals=(404, 501)),
    "GET /space/status": Said(),
    "GET /space/{space_id}/configs": Said(Space),
    "PUT /space/{space_id}/configs": Said(body=SpaceConfigs),
    "DELETE /space/{space_id}": Said(),
    "GET /space/{space_id}/experience_search": Said(SearchResult),
    "GET /space/{space_id}/experience_confirmations": Said(Page[Experience]),
    "PUT /space/{space_id}/experience_confirmations/{experience_id}": _CONFIRMATION,
    "PATCH /space/{space_id}/experience_confirmations/{experience_id}": _CONFIRMATION,
    "GET /space/{space_id}/block": Said(list[Block]),
    "POST /space/{space_id}/block": Said(Made, NewBlock, keyed=True),
    "DELETE /space/{space_id}/block/{block_id}": Said(),
    "GET /space/{space_id}/block/{block_id}/properties": Said(Block),
    "PUT /space/{space_id}/block/{block_id}/properties": Said(body=BlockProperties, needed=False),
    "PUT /space/{space_id}/block/{block_id}/move": Said(body=BlockMove, needed=False),
    "PUT /space/{space_id}/block/{block_id}/sort": Said(body=BlockPlace, needed=False),
    "GET /tool/name": Said(list[Tool]),
    "PUT /tool/name": Said(Flag, ToolNames),
}
