"""Anthropic messages of every kind, with keys that nobody knows."""

from hypothesis import strategies as st
from tests.gateway.dialects.sent.common import (
    addresses,
    base64s,
    extras,
    ids,
    joined,
    kind,
    maybe,
    names,
    obj,
    objects,
    texts,
    values,
)

cached = maybe(cache_control=st.none() | joined(obj(type=kind("ephemeral")), maybe(ttl=st.sampled_from(["5m", "1h"]))))
text = joined(obj(type=kind("text"), text=texts), maybe(citations=st.none() | st.lists(extras)), cached, extras)
image_sources = st.one_of(
    obj(type=kind("base64"), media_type=st.sampled_from(["image/png", "image/webp"]), data=base64s | texts),
    obj(type=kind("url"), url=addresses | texts),
    obj(type=kind("file"), file_id=ids),
)
image = joined(obj(type=kind("image"), source=joined(image_sources, extras)), cached, extras)
document_sources = st.one_of(
    image_sources,
    obj(type=kind("base64"), media_type=kind("application/pdf"), data=base64s),
    obj(type=kind("text"), media_type=st.sampled_from(["text/plain", "text/html"]), data=texts),
    obj(type=kind("content"), content=texts | st.lists(text | image, max_size=2)),
)
document = joined(
    obj(type=kind("document"), source=joined(extras, maybe(content=texts, media_type=texts), document_sources)),
    maybe(title=st.none() | texts, context=st.none() | texts, citations=st.none() | obj(enabled=st.booleans())),
    cached,
    extras,
)
search_result = joined(
    obj(type=kind("search_result"), source=addresses, title=texts, content=st.lists(text, max_size=2)), cached, extras
)
said = text | image | document | search_result
opaque = joined(
    st.one_of(
        obj(type=kind("redacted_thinking"), data=texts),
        obj(type=kind("container_upload"), file_id=ids),
        obj(type=kind("compaction"), content=texts | st.none()),
        obj(type=kind("fallback")),
    ),
    cached,
    extras,
)
thinking = joined(obj(type=kind("thinking"), thinking=texts), maybe(signature=texts), extras)
call = joined(
    obj(type=st.sampled_from(["tool_use", "server_tool_use", "mcp_tool_use"]), id=ids, name=names, input=objects),
    maybe(caller=obj(type=kind("direct")), toolset_name=st.none() | names),
    cached,
    extras,
)
answers = maybe(
    content=st.none() | texts | st.lists(said | obj(type=kind("tool_reference"), tool_name=names), max_size=3),
    is_error=st.none() | st.booleans(),
)
tool_result = joined(obj(type=kind("tool_result"), tool_use_id=ids), answers, cached, extras)
mcp_result = joined(obj(type=kind("mcp_tool_result"), tool_use_id=ids), answers, cached, extras)
server_result = joined(
    st.one_of(
        obj(
            type=kind("web_search_tool_result"),
            content=st.lists(obj(type=kind("web_search_result"), url=addresses, title=texts, encrypted_content=texts)),
        ),
        obj(
            type=kind("web_search_tool_result"),
            content=obj(type=kind("web_search_tool_result_error"), error_code=kind("unavailable")),
        ),
        obj(
            type=kind("code_execution_tool_result"),
            content=obj(type=kind("code_execution_result"), stdout=texts, return_code=st.integers(0, 255)),
        ),
    ),
    obj(tool_use_id=ids),
    cached,
    extras,
)


def content(blocks: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return texts | st.lists(blocks, min_size=1, max_size=4)


user = joined(obj(role=kind("user"), content=content(said | tool_result | opaque)), extras)
assistant = joined(
    obj(role=kind("assistant"), content=content(said | thinking | call | server_result | mcp_result | opaque)),
    maybe(id=ids, type=kind("message"), stop_reason=st.none() | names, usage=values),
    extras,
)
system = joined(obj(role=kind("system"), content=content(text)), extras)
messages = user | assistant | system
