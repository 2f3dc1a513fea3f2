"""The tree of a space, as clients see and edit it against the whole of Craftlog."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.clients import Api

STEPS = [{"tool_name": "kettle", "action": "boil the water"}, {"tool_name": "pot", "action": "let it stand"}]
TEA = {"preferences": "no sugar", "tool_sops": STEPS}


class Tree:
    """One space's tree, edited through the API."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.at = f"/space/{api.make('space')}"

    def add(self, kind: str, title: str = "", parent: str | None = None, **more: Any) -> str:
        body = {"type": kind, "title": title, "parent_id": parent, **more}
        added: str = self.api.post(f"{self.at}/block", 201, body)["id"]
        return added

    def titles(self, parent: str | None = None, **more: Any) -> list[str]:
        below = {"parent_id": parent} if parent else {}
        found = self.api.get(f"{self.at}/block", **below, **more)
        assert [block["sort"] for block in found if not more] == sorted(block["sort"] for block in found if not more)
        return [block["title"] for block in found]

    def get(self, block: str, expect: int = 200) -> Any:
        return self.api.get(f"{self.at}/block/{block}/properties", expect=expect)

    def put(self, block: str, what: str, expect: int = 200, **body: Any) -> Any:
        return self.api.put(f"{self.at}/block/{block}/{what}", expect, body)

    def search(self, query: str, **params: Any) -> list[Any]:
        found: list[Any] = self.api.get(f"{self.at}/experience_search", query=query, **params)["cited_blocks"]
        return found


@pytest.fixture(scope="module")
def api(http: httpx.Client) -> Api:
    return Api(http)


@pytest.fixture
def tree(api: Api) -> Tree:
    return Tree(api)


class TestAdding:
    def test_a_block_is_there_with_all_its_keys(self, tree: Tree) -> None:
        folder = tree.add("folder", "SDK E2E Folder")
        page = tree.add("page", "tea", folder, props={"view_when": "thirsty", "n": None})
        read = tree.get(page)
        assert read == {
            "id": page,
            "space_id": tree.at.split("/")[2],
            "type": "page",
            "parent_id": folder,
            "title": "tea",
            "props": {"view_when": "thirsty", "n": None},
            "sort": 0,
            "is_archived": False,
            "engine": None,
            "created_at": read["created_at"],
            "updated_at": read["created_at"],
        }
        assert tree.titles() == ["SDK_E2E_Folder"]
        assert tree.titles(folder) == ["tea"]

    def test_needs_no_title_no_parent_and_no_props(self, tree: Tree) -> None:
        page = tree.api.post(f"{tree.at}/block", 201, {"type": "page"})["id"]
        assert (tree.get(page)["title"], tree.get(page)["props"], tree.get(page)["parent_id"]) == ("", {}, None)

    def test_a_sop_has_its_tools_in_lower_case(self, tree: Tree) -> None:
        page = tree.add("page", "tea")
        steps = [{"tool_name": " Kettle ", "action": "boil the water"}]
        sop = tree.add("sop", "make some tea", page, props={"preferences": "hot", "tool_sops": steps})
        assert tree.get(sop)["props"] == {
            "preferences": "hot",
            "tool_sops": [{"tool_name": "kettle", "action": "boil the water"}],
        }

    def test_is_ordered_by_type_and_place(self, tree: Tree) -> None:
        for kind, title in (("page", "p0"), ("folder", "f1"), ("page", "p2"), ("folder", "f3")):
            tree.add(kind, title)
        found = tree.api.get(f"{tree.at}/block")
        assert [(one["type"], one["title"], one["sort"]) for one in found] == [
            ("folder", "f1", 1),
            ("folder", "f3", 3),
            ("page", "p0", 0),
            ("page", "p2", 2),
        ]
        assert tree.titles(type="page") == ["p0", "p2"]
        assert tree.titles(type="sop") == []

    def test_with_a_key_makes_one_however_often(self, tree: Tree) -> None:
        key, body = {"Idempotency-Key": str(uuid4())}, {"type": "page", "title": "a"}
        first = tree.api.post(f"{tree.at}/block", 201, body, **key)
        assert tree.api.post(f"{tree.at}/block", 201, body, **key) == first
        tree.api.post(f"{tree.at}/block", 409, {"type": "page", "title": "b"}, **key)
        assert tree.titles() == ["a"]

    @pytest.mark.parametrize(
        ("body", "status", "words"),
        [
            ({}, 400, "type: must be a string"),
            ({"type": "reference"}, 400, "type: must be one of folder, page, sop, text"),
            ({"type": "page", "title": "a/b"}, 400, "title: must not have a slash"),
            ({"type": "page", "title": " a"}, 400, "title: must not begin or end"),
            ({"type": "page", "title": 7}, 400, "title: must be a string"),
            ({"type": "page", "parent_id": "x"}, 400, "parent_id: must be a UUID"),
            ({"type": "page", "parent_id": str(uuid4())}, 404, "parent_id: there is no block"),
            ({"type": "page", "props": []}, 400, "props: must be an object"),
            ({"type": "sop", "props": TEA}, 400, "parent_id: a sop stands on a page"),
            ({"type": "text", "parent_id": "FOLDER"}, 400, "parent_id: a text stands in a page"),
            ({"type": "sop", "parent_id": "PAGE"}, 400, "props: a sop needs preferences or tool_sops"),
            ({"type": "sop", "parent_id": "PAGE", "props": {"tool_sops": [{}]}}, 400, "props.tool_sops[0].tool_name: "),
        ],
    )
    def test_what_cannot_be_is_refused(self, tree: Tree, body: dict[str, Any], status: int, words: str) -> None:
        known = {"FOLDER": tree.add("folder", "f"), "PAGE": tree.add("page", "p")}
        sent = {name: known.get(value, value) if name == "parent_id" else value for name, value in body.items()}
        refused = tree.api.http.post(f"/api/v1{tree.at}/block", json=sent)
        assert (refused.status_code, refused.json()["msg"][: len(words)]) == (status, words)
        assert tree.titles() == ["f", "p"]


class TestListing:
    def test_below_what_is_not_there_is_missing(self, tree: Tree) -> None:
        tree.api.get(f"{tree.at}/block", parent_id=str(uuid4()), expect=404)
        assert tree.titles() == []


class TestChanging:
    def test_replaces_props_as_a_whole_and_keeps_a_title_that_is_not_sent(self, tree: Tree) -> None:
        page = tree.add("page", "tea", props={"a": 1, "b": 2})
        tree.put(page, "properties", props={"$set": {"c.d": None}, "": [1]})
        assert (tree.get(page)["title"], tree.get(page)["props"]) == ("tea", {"$set": {"c.d": None}, "": [1]})
        tree.put(page, "properties", title="green tea", props=None)
        assert (tree.get(page)["title"], tree.get(page)["props"]) == ("green tea", {"$set": {"c.d": None}, "": [1]})
        tree.put(page, "properties", title="")
        assert tree.get(page)["title"] == "green tea"
        assert tree.get(page)["updated_at"] > tree.get(page)["created_at"]

    def test_of_what_is_not_there_is_missing(self, tree: Tree) -> None:
        tree.put(str(uuid4()), "properties", 404, title="x")
        tree.get(str(uuid4()), expect=404)

    def test_of_a_block_of_another_space_is_missing(self, api: Api, tree: Tree) -> None:
        foreign = Tree(api).add("page", "mine")
        tree.put(foreign, "properties", 404, title="x")
        tree.put(foreign, "move", 404)
        tree.put(foreign, "sort", 404)
        tree.get(foreign, expect=404)
        tree.api.delete(f"{tree.at}/block/{foreign}", expect=404)

    def test_to_a_wrong_title_or_props_is_refused(self, tree: Tree) -> None:
        sop = tree.add("sop", "make tea", tree.add("page", "tea"), props=TEA)
        for body in ({"title": "a/b"}, {"title": []}, {"props": 1}, {"props": {}}, {"props": {"preferences": 1}}):
            tree.put(sop, "properties", 400, **body)
        assert (tree.get(sop)["title"], tree.get(sop)["props"]) == ("make tea", TEA)


class TestMoving:
    def test_goes_to_another_parent_and_to_the_root(self, tree: Tree) -> None:
        folder, first, second = tree.add("folder", "f"), tree.add("page", "a"), tree.add("page", "b")
        tree.put(first, "move", parent_id=folder)
        tree.put(second, "move", parent_id=folder, sort=0)
        assert (tree.titles(), tree.titles(folder)) == (["f"], ["b", "a"])
        tree.put(first, "move", parent_id=None, sort=0)
        assert [(one["title"], one["sort"]) for one in tree.api.get(f"{tree.at}/block")] == [("f", 1), ("a", 0)]
        tree.put(second, "move", sort=99)
        assert tree.get(second)["sort"] == 2

    def test_past_many_siblings_keeps_their_order_without_gaps(self, tree: Tree) -> None:
        page = tree.add("page", "p")
        notes = [tree.add("text", str(number), page) for number in range(6)]
        tree.put(notes[5], "sort", sort=0)
        assert tree.titles(page) == ["5", "0", "1", "2", "3", "4"]
        tree.put(notes[0], "sort", sort=4)
        assert tree.titles(page) == ["5", "1", "2", "3", "0", "4"]
        tree.put(notes[1], "move", sort=-3)
        tree.put(notes[2], "sort", sort=10**18)
        assert tree.titles(page) == ["1", "5", "3", "0", "4", "2"]
        tree.api.delete(f"{tree.at}/block/{notes[3]}")
        tree.put(notes[4], "sort")
        found = tree.api.get(f"{tree.at}/block", parent_id=page)
        assert [(one["title"], one["sort"]) for one in found] == [("4", 0), ("1", 1), ("5", 2), ("0", 3), ("2", 4)]

    def test_where_it_cannot_stand_is_refused(self, tree: Tree) -> None:
        folder, page = tree.add("folder", "f"), tree.add("page", "p")
        inner = tree.add("folder", "g", folder)
        note = tree.add("text", "n", page)
        for block, parent, status in (
            (folder, folder, 400),
            (folder, inner, 400),
            (note, folder, 400),
            (page, note, 400),
            (page, str(uuid4()), 404),
        ):
            tree.put(block, "move", status, parent_id=parent)
        for wrong in ({"parent_id": 7}, {"sort": "1"}, {"sort": True}, {"sort": 1.5}):
            tree.put(page, "move", 400, **wrong)
        tree.put(page, "sort", 400, sort="x")
        tree.put(str(uuid4()), "move", 404)
        tree.put(str(uuid4()), "sort", 404, sort=1)
        assert tree.titles() == ["f", "p"]


class TestRemoving:
    def test_takes_all_that_is_below(self, tree: Tree) -> None:
        folder = tree.add("folder", "f")
        page = tree.add("page", "p", folder)
        sop = tree.add("sop", "make tea", page, props=TEA)
        tree.api.delete(f"{tree.at}/block/{folder}")
        assert tree.titles() == []
        for gone in (folder, page, sop):
            tree.get(gone, expect=404)
            tree.api.delete(f"{tree.at}/block/{gone}", expect=404)
        assert tree.search("make tea") == []


class TestSearching:
    def test_finds_what_people_wrote_as_an_agent_needs_it(self, tree: Tree) -> None:
        page = tree.add("page", "tea")
        sop = tree.add("sop", "somebody wants a cup of tea", page, props=TEA)
        note = tree.add("text", "where the tea is", page, props={"notes": "In the blue tin.", "shelf": 3})
        [first, second] = tree.search("a cup of tea", semantic_threshold=2)
        assert first["distance"] < second["distance"]
        assert (first["block_id"], first["type"], first["title"]) == (sop, "sop", "somebody wants a cup of tea")
        assert first["props"] == {
            "use_when": "somebody wants a cup of tea",
            "preferences": "no sugar",
            "tool_sops": [{"order": order, **step} for order, step in enumerate(STEPS)],
        }
        assert (second["block_id"], second["type"]) == (note, "text")
        assert second["props"] == {"use_when": "where the tea is", "notes": "In the blue tin.", "shelf": 3}

    def test_follows_edits_moves_and_removals(self, tree: Tree) -> None:
        page, other = tree.add("page", "a"), tree.add("page", "b")
        sop = tree.add("sop", "somebody wants to cancel a flight", page, props=TEA)
        tree.put(sop, "properties", title="somebody has to bill a client for hours")
        assert tree.search("call off my trip and get a refund") == []
        tree.put(sop, "move", parent_id=other)
        tree.put(sop, "properties", props={"preferences": "by mail"})
        [found] = tree.search("write an invoice for a customer")
        assert (found["block_id"], found["props"]["preferences"]) == (sop, "by mail")
        tree.api.delete(f"{tree.at}/block/{other}")
        assert tree.search("write an invoice for a customer") == []

    def test_finds_a_text_by_what_it_says(self, tree: Tree) -> None:
        note = tree.add("text", "", tree.add("page", "a"), props={"text": "Flights are cancelled by phone only."})
        [found] = tree.search("how to cancel a flight")
        assert (found["block_id"], found["props"]["notes"]) == (note, "Flights are cancelled by phone only.")

    def test_finds_no_folders_and_pages(self, tree: Tree) -> None:
        tree.add("page", "cancel_flight", tree.add("folder", "cancel_flight"))
        assert tree.search("cancel flight", semantic_threshold=2) == []
