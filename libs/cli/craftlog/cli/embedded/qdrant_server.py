"""Owns the index's files and serves the part of Qdrant's REST API that Craftlog uses; the rest is a clear 400."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import qdrant_edge as edge
from aiohttp import web

from craftlog.cli.embedded import qdrant_shapes as shapes
from craftlog.cli.embedded.qdrant_store import Collection, ExistsError, Index, NotFoundError

API_VERSION: Final = "1.20.0"  # of the REST API that this is a part of; clients compare it with their own
FLUSH_EVERY: Final = 5.0  # seconds; what is not flushed comes back from the write-ahead log, by a slower start
LARGEST_BODY: Final = 64 * 1024 * 1024
STOP_PATIENCE: Final = 1.0  # seconds for requests under way
_DONE: Final = {"operation_id": 0, "status": "completed"}

Operation = Callable[[Collection, Any], Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """The routes over one index. Engine calls take a millisecond or less, so they run in turn on the one thread."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_answers])
        one, points = "/collections/{name}", "/collections/{name}/points"
        app.add_routes(
            [
                web.get("/", _about),
                web.get("/readyz", _about),
                web.put(one, self._create),
                web.get(one, self._describe),
                web.delete(one, self._remove),
                web.get(f"{one}/exists", self._exists),
                web.put(f"{one}/index", self._on(_create_index)),
                web.put(points, self._on(_upsert)),
                web.post(points, self._on(_retrieve)),
                web.post(f"{points}/delete", self._on(_delete)),
                web.post(f"{points}/payload", self._on(_set_payload)),
                web.post(f"{points}/query", self._on(_query)),
                web.post(f"{points}/scroll", self._on(_scroll)),
                web.post(f"{points}/count", self._on(_count)),
                web.route("*", "/{anything:.*}", _unsupported),
            ],
        )
        app.cleanup_ctx.append(self._flushing)
        return app

    async def _create(self, request: web.Request) -> web.Response:
        said = shapes.only(await _body(request), "create_collection", "vectors")
        self._index.create(request.match_info["name"], said.get("vectors", {}))
        return _result(True)  # noqa: FBT003 - this is the whole answer of the API

    async def _remove(self, request: web.Request) -> web.Response:
        return _result(self._index.remove(request.match_info["name"]))

    async def _exists(self, request: web.Request) -> web.Response:
        return _result({"exists": request.match_info["name"] in self._index})

    async def _describe(self, request: web.Request) -> web.Response:
        return _result(_description(self._index[request.match_info["name"]]))

    def _on(self, operation: Operation) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            body = await _body(request)
            return _result(operation(self._index[request.match_info["name"]], body))

        return handler

    async def _flushing(self, _: web.Application) -> AsyncIterator[None]:
        async def regularly() -> None:
            while True:
                await asyncio.sleep(FLUSH_EVERY)
                self._index.flush()

        task = asyncio.create_task(regularly())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self._index.close()


def _create_index(collection: Collection, body: Any) -> shapes.Json:
    said = shapes.only(body, "create_payload_index", "field_name", "field_schema")
    name, schema = shapes.needed(said, "create_payload_index", "field_name"), said.get("field_schema")
    collection.update(edge.UpdateOperation.create_field_index(name, shapes.field_schema(schema)))
    return _DONE


def _upsert(collection: Collection, body: Any) -> shapes.Json:
    said = shapes.only(body, "upsert", "points")
    collection.update(edge.UpdateOperation.upsert_points(shapes.points(said.get("points"))))
    return _DONE


def _delete(collection: Collection, body: Any) -> shapes.Json:
    said = shapes.only(body, "delete", "points", "filter")
    if "filter" in said:
        collection.update(edge.UpdateOperation.delete_points_by_filter(shapes.where(said["filter"])))
    else:
        collection.update(edge.UpdateOperation.delete_points(shapes.ids(said.get("points"), "points")))
    return _DONE


def _set_payload(collection: Collection, body: Any) -> shapes.Json:
    said = shapes.only(body, "set_payload", "payload", "points", "filter")
    payload = shapes.needed(said, "set_payload", "payload")
    if "filter" in said:
        collection.update(edge.UpdateOperation.set_payload_by_filter(shapes.where(said["filter"]), payload))
    else:
        collection.update(edge.UpdateOperation.set_payload(shapes.ids(said.get("points"), "points"), payload))
    return _DONE


def _retrieve(collection: Collection, body: Any) -> list[shapes.Json]:
    said = shapes.only(body, "retrieve", "ids", "with_payload", "with_vector")
    wanted = shapes.selection({"with_payload": True, **said})
    records = collection.shard.retrieve(shapes.ids(said.get("ids"), "ids"), *wanted.values())
    return [shapes.found(record) for record in records]


def _query(collection: Collection, body: Any) -> shapes.Json:
    return {"points": [shapes.found(point) for point in collection.shard.query(shapes.search(body))]}


def _scroll(collection: Collection, body: Any) -> shapes.Json:
    records, following = collection.shard.scroll(shapes.page(body))
    return {"points": [shapes.found(record) for record in records], "next_page_offset": shapes.plain(following)}


def _count(collection: Collection, body: Any) -> shapes.Json:
    said = shapes.only(body, "count", "filter", "exact")
    condition = shapes.where(said["filter"]) if "filter" in said else None
    return {"count": collection.shard.count(edge.CountRequest(exact=True, filter=condition))}


def _description(collection: Collection) -> shapes.Json:
    info = collection.shard.info()
    return {
        "status": "green",
        "optimizer_status": "ok",
        "points_count": info.points_count,
        "indexed_vectors_count": info.indexed_vectors_count,
        "segments_count": info.segments_count,
        "config": {
            "params": {"vectors": collection.vectors},
            # The API wants them said; nothing is ever indexed here, every search looks at all points of its filter.
            "hnsw_config": {"m": 0, "ef_construct": 4, "full_scan_threshold": 0},
            "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": int(FLUSH_EVERY)},
        },
        "payload_schema": {
            name: {"data_type": shapes.field_type(index.data_type), "points": index.points}
            for name, index in info.payload_schema.items()
        },
    }


async def _about(_: web.Request) -> web.Response:
    return web.json_response({"title": "craftlog embedded index", "version": API_VERSION})


async def _unsupported(request: web.Request) -> NoReturn:
    raise shapes.UnsupportedError(f"{request.method} {request.path} is not supported by the embedded index")


async def _body(request: web.Request) -> Any:
    return json.loads(await request.read(), parse_constant=_no_number)


def _no_number(constant: str) -> NoReturn:
    raise shapes.UnsupportedError(f"{constant} is no JSON number")


def _result(result: Any) -> web.Response:
    return web.json_response({"result": result, "status": "ok", "time": 0.0})


def _refusal(status: int, error: Exception) -> web.Response:
    return web.json_response({"status": {"error": str(error)}, "time": 0.0}, status=status)


@web.middleware
async def _answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotFoundError as error:
        return _refusal(404, error)
    except ExistsError as error:
        return _refusal(409, error)
    except (ValueError, TypeError) as error:  # the engine's word for malformed values, too
        return _refusal(400, error)
    except Exception as error:
        if type(error) is not Exception:  # the engine says everything else that it refuses with the bare class
            raise
        return _refusal(404 if str(error).startswith("No point with id") else 400, error)


def main() -> None:
    """Serve ``FOLDER HOST PORT`` until told to stop."""
    folder, host, port = sys.argv[1:]
    app = Server(Index(Path(folder))).app()
    web.run_app(app, host=host, port=int(port), print=None, access_log=None, shutdown_timeout=STOP_PATIENCE)


if __name__ == "__main__":
    main()
