"""Tools that skills speak of: counted and renamed, in all spaces of a project."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from craftlog.gateway.answers import answer
from craftlog.gateway.bodies import small_object
from craftlog.gateway.errors import InvalidError
from craftlog.gateway.fields import Json, a_text, an_object
from craftlog.gateway.parameters import Project, Wired
from craftlog.gateway.spaces import rename_tools

router = APIRouter(prefix="/tool", tags=["tool"])


@router.get("/name")
async def names(gateway: Wired, project: Project) -> Response:
    """List the tools by name, each with the number of steps that use it."""
    counted = await gateway.reads.tools(project)
    return answer([{"name": name, "sop_count": counted[name]} for name in sorted(counted)])


@router.put("/name")
async def rename(request: Request, gateway: Wired, project: Project) -> Response:
    """Give tools other names: ``{rename: [{old_name, new_name}]}``; names that nobody uses are passed over."""
    await rename_tools(gateway, project, _renames((await small_object(request)).get("rename")))
    return answer({"status": 200, "errmsg": ""})


def _renames(sent: Any) -> Sequence[tuple[str, str]]:
    """Return old and new names; a new name that is an old one as well would make it matter how often it is asked."""
    if not isinstance(sent, list) or not sent:
        raise InvalidError("rename", "must be a list with at least one {old_name, new_name}")
    renames = [(_name(one, at, "old"), _name(one, at, "new")) for at, one in enumerate(sent)]
    changed = {old for old, new in renames if old != new}
    for at, (_, new) in enumerate(renames):
        if new in changed:
            raise InvalidError(f"rename[{at}].new_name", "is renamed by the same request")
    return renames


def _name(sent: Any, at: int, which: str) -> str:
    """Return a name in either spelling of its key, without the white space around it."""
    one: Json = an_object(sent, f"rename[{at}]")
    field = f"rename[{at}].{which}_name"
    name = a_text(one.get(f"{which}_name", one.get(f"{which}Name")), field).strip()
    if not name:
        raise InvalidError(field, "must not be empty")
    return name
