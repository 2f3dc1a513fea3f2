"""Messages in the reference's own format, of every kind; nothing that would be left out."""

from hypothesis import strategies as st
from tests.gateway.dialects.sent.common import (
    Drawn,
    addresses,
    base64s,
    extras,
    ids,
    joined,
    kind,
    maybe,
    names,
    obj,
    texts,
    values,
)

providers = maybe(openai=values, anthropic=values, gemini=values, cache_control=values, of_result=values)
meta = joined(extras, maybe(url=addresses | values, data=base64s, type=texts, media_type=texts, filename=values))
plain = joined(extras, providers).filter(bool)
text = joined(obj(type=kind("text"), text=texts.filter(bool)), maybe(meta=plain))
call = obj(
    type=kind("tool-call"),
    meta=joined(obj(name=names, arguments=values), maybe(type=texts), providers, extras),
)
call_with_id = st.builds(lambda part, given: {**part, "meta": {**part["meta"], "id": given}}, call, ids)
result = joined(
    obj(type=kind("tool-result"), meta=joined(obj(tool_call_id=ids), maybe(name=names, type=texts), providers, extras)),
    maybe(text=texts),
)
data = joined(obj(type=kind("data"), meta=joined(obj(data_type=values), providers, extras)), maybe(text=texts))
media = joined(
    obj(type=st.sampled_from(["image", "audio", "video", "file"])),
    maybe(text=texts, meta=joined(meta, providers).filter(bool)),
)
kinds = text | call_with_id | result | data | media
around = joined(maybe(name=values, original_role=st.sampled_from(["system", "tool"]) | values), providers, extras)


def message(formats: st.SearchStrategy[object], parts: Drawn) -> Drawn:
    return obj(
        role=st.sampled_from(["user", "assistant"]),
        parts=st.lists(parts, min_size=1, max_size=4),
        meta=joined(obj(source_format=formats), around),
    )


# Who says that it came from elsewhere, as a copy does, gives ids to its calls.
messages = message(kind("acontext"), kinds | call) | message(
    st.sampled_from(["openai", "anthropic", "gemini"]) | values, kinds
)
