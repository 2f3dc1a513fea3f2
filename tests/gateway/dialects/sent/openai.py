"""OpenAI chat messages of every kind, with keys that nobody knows."""

from hypothesis import strategies as st
from tests.gateway.dialects.sent.common import addresses, base64s, extras, ids, joined, kind, maybe, names, obj, texts

text_part = joined(obj(type=kind("text"), text=texts), extras)
refusal_part = joined(obj(type=kind("refusal"), refusal=texts), extras)
image = joined(obj(url=texts | addresses), maybe(detail=texts | st.none()), extras, maybe(type=texts, openai=texts))
audio = joined(obj(data=texts | base64s, format=texts | st.sampled_from(["wav", "mp3"])), extras)
file = joined(
    maybe(
        file_id=texts,
        file_data=st.none() | texts | base64s | base64s.map("data:application/pdf;base64,".__add__),
        filename=texts | st.none(),
    ),
    extras,
)
media_part = st.one_of(
    joined(obj(type=kind("image_url"), image_url=image), extras),
    joined(obj(type=kind("input_audio"), input_audio=audio), extras),
    joined(obj(type=kind("file"), file=file), extras),
)
arguments = texts | st.sampled_from(["", "{}", '{"q": 1.0}', '{"a":{"b":[true,null]}}', "[1]", '{"n": NaN}'])
call = joined(obj(name=names, arguments=arguments), extras)
tool_call = st.one_of(
    joined(obj(id=ids | st.just(""), type=kind("function"), function=call), extras),
    joined(obj(id=ids, type=kind("custom"), custom=joined(obj(name=names, input=texts), extras)), extras),
)
user = joined(
    obj(role=kind("user"), content=texts | st.lists(text_part | media_part, min_size=1, max_size=3)),
    maybe(name=names | st.none()),
    extras,
)
told = joined(
    obj(role=st.sampled_from(["system", "developer"]), content=texts | st.lists(text_part, min_size=1, max_size=3)),
    maybe(name=names),
    extras,
)
spoken = joined(obj(id=texts), maybe(data=texts, transcript=texts, field=kind("refusal"), openai=texts))
assistant = joined(
    obj(role=kind("assistant")),
    maybe(
        content=texts | st.none() | st.lists(text_part | refusal_part, max_size=3),
        name=names | st.none(),
        refusal=texts | st.none(),
        audio=st.none() | spoken,
        function_call=st.none() | call,
        tool_calls=st.none() | st.lists(tool_call, max_size=3),
    ),
    extras,
).filter(
    lambda message: any(
        message.get(key) not in (None, []) for key in ("content", "refusal", "audio", "function_call", "tool_calls")
    )
)
result = st.one_of(
    joined(
        obj(role=kind("tool"), tool_call_id=ids | st.just("")),
        maybe(content=texts | st.none() | st.lists(text_part, max_size=3), name=names | st.none()),
        extras,
    ),
    joined(obj(role=kind("function"), name=names), maybe(content=texts | st.none()), extras),
)
messages = user | told | assistant | result
