"""The types of Anthropic's content blocks, and where each may stand. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

CALLS: Final = ("tool_use", "server_tool_use", "mcp_tool_use")
# What Anthropic's own servers answer: it stands in the agent's message. Its content is JSON, not text for people.
SERVER_RESULTS: Final = (
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "advisor_tool_result",
)
IN_PLACE: Final = (*SERVER_RESULTS, "mcp_tool_result")
SAID: Final = ("text", "image", "document", "search_result")
# Kept as they are: nobody's speech, and nothing that another provider has.
OPAQUE: Final = (
    "redacted_thinking",
    "container_upload",
    "compaction",
    "tool_reference",
    "browser_state",
    "mcp_tool_listing",
    "tool_addition",
    "tool_removal",
    "fallback",
)
IN_RESULTS: Final = (*SAID, "tool_reference", "browser_state")
BY_ROLE: Final[Mapping[str, Sequence[str]]] = {
    "user": (*SAID, "tool_result", *OPAQUE),
    "assistant": (*SAID, "thinking", *CALLS, *IN_PLACE, *OPAQUE),
    "system": ("text",),
}
