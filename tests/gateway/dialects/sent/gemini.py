"""Gemini contents of every kind, in both spellings, with keys that nobody knows."""

from typing import Any

from hypothesis import strategies as st
from tests.gateway.dialects.sent.common import base64s, extras, ids, joined, kind, maybe, names, obj, objects, texts

_SNAKE = {
    "inlineData": "inline_data",
    "fileData": "file_data",
    "functionCall": "function_call",
    "functionResponse": "function_response",
    "executableCode": "executable_code",
    "codeExecutionResult": "code_execution_result",
    "toolCall": "tool_call",
    "mimeType": "mime_type",
    "fileUri": "file_uri",
    "displayName": "display_name",
    "thoughtSignature": "thought_signature",
    "videoMetadata": "video_metadata",
}
_ABSENT = ("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "videoMetadata")
# What Python's SDK dumps: every key that a part could have.
around = st.one_of(st.just({}), st.just(dict.fromkeys(_ABSENT)), maybe(thoughtSignature=base64s), extras)
mimes = st.sampled_from(["image/png", "audio/wav", "audio/ogg", "video/mp4", "application/pdf", "text/csv"])
said = st.one_of(
    joined(around, obj(text=texts), maybe(thought=st.none() | st.booleans())),
    obj(thoughtSignature=base64s),
)
inline = joined(
    around,
    obj(inlineData=joined(obj(mimeType=mimes, data=base64s | texts), maybe(displayName=st.none() | texts), extras)),
)
file = joined(
    around,
    obj(
        fileData=joined(
            obj(fileUri=st.sampled_from(["https://example.org/a", "gs://bucket/a"])),
            maybe(mimeType=st.none() | mimes, displayName=st.none() | texts),
            extras,
        )
    ),
)
media = inline | file
call = joined(
    around,
    obj(functionCall=joined(obj(name=names), maybe(id=st.none() | ids, args=st.none() | objects), extras)),
)
responses = st.one_of(
    st.none(), objects, obj(output=texts), obj(error=texts), obj(result=texts), obj(error=objects), obj(output=objects)
)
response = joined(
    around,
    obj(
        functionResponse=joined(
            obj(name=names),
            maybe(id=st.none() | ids, response=responses, parts=st.none() | st.lists(media, max_size=2)),
            maybe(willContinue=st.booleans()),
            extras,
        )
    ),
)
code = joined(around, obj(executableCode=joined(obj(language=kind("PYTHON"), code=texts), maybe(id=st.none() | ids))))
code_result = joined(
    around,
    obj(
        codeExecutionResult=joined(
            obj(outcome=st.sampled_from(["OUTCOME_OK", "OUTCOME_FAILED", None])),
            maybe(output=st.none() | texts, id=ids),
            extras,
        )
    ),
)
opaque = joined(around, obj(toolCall=objects))


def snake(value: Any) -> Any:
    """Return a message as Python's SDK spells it; what the users named stays."""
    if isinstance(value, list):
        return [snake(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _SNAKE.get(key, key): item if key in ("args", "response", "toolCall") or key.startswith("x_") else snake(item)
        for key, item in value.items()
    }


def parts(kinds: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(kinds, min_size=1, max_size=4)


user = joined(
    maybe(role=st.sampled_from(["user", "function", None])), obj(parts=parts(said | media | response)), extras
)
model = joined(obj(role=kind("model"), parts=parts(said | media | call | code | code_result | opaque)), extras)
camel = user | model
messages = camel | camel.map(snake)
