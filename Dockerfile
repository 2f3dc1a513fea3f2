# One image a service: docker build --build-arg SERVICE=gateway .

# Everything in the lock, each file checked against its hash; the images share this layer.
FROM python:3.11.14-slim-bookworm AS locked
COPY requirements.lock /
RUN pip download --no-cache-dir --require-hashes --no-deps --requirement /requirements.lock --dest /wheels

# From those files alone: the service, what it depends on, and the exporter of traces.
FROM locked AS build
ARG SERVICE
RUN pip install --no-cache-dir --no-index --find-links /wheels hatchling
WORKDIR /source
COPY libs/contracts libs/contracts
COPY libs/runtime libs/runtime
COPY libs/llm libs/llm
COPY services/${SERVICE} services/${SERVICE}
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels ./libs/* ./services/*
RUN python -m venv /opt/craftlog \
 && /opt/craftlog/bin/pip install --no-cache-dir --no-index --find-links /wheels "craftlog-${SERVICE}" "craftlog-runtime[otlp]"

FROM python:3.11.14-slim-bookworm
ARG SERVICE
ENV SERVICE=${SERVICE} PATH=/opt/craftlog/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --system --no-create-home --shell /usr/sbin/nologin craftlog
COPY --from=build /opt/craftlog /opt/craftlog
COPY deploy/healthcheck.py /opt/craftlog/
USER craftlog
# A shell, because only it knows the variable; exec, so that the service gets the signals.
CMD ["sh", "-c", "exec python -m craftlog.${SERVICE}"]
