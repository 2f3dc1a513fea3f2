"""What later SDKs can ask for and Craftlog does not offer: it is said, not guessed."""

from typing import Any
from uuid import uuid4

import pytest
from tests.conformance.sdks import NEW, Sdk, SdkError, driven, upload

ID = str(uuid4())
PLACE = {"file_path": "/", "sandbox_id": ID, "sandbox_path": "/home/"}
CALLS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "skills.create": ([], {"file": upload("skill.zip", b"PK", "application/zip")}),
    "skills.list_catalog": ([], {}),
    "skills.get": ([ID], {}),
    "skills.get_file": ([], {"skill_id": ID, "file_path": "SKILL.md"}),
    "skills.delete": ([ID], {}),
    "users.list": ([], {}),
    "users.get_resources": (["a/b c"], {}),
    "users.delete": (["alice"], {}),
    "sandboxes.create": ([], {}),
    "sandboxes.exec_command": ([], {"sandbox_id": ID, "command": "ls"}),
    "sandboxes.kill": ([ID], {}),
    "disks.artifacts.download_to_sandbox": ([ID], {**PLACE, "filename": "a.txt"}),
    "disks.artifacts.upload_from_sandbox": ([ID], {**PLACE, "sandbox_filename": "a.txt"}),
    "SKILL_TOOLS.get_skill": ([[ID], {"skill_name": "one"}], {}),
    "SKILL_TOOLS.get_skill_file": ([[ID], {"skill_name": "one", "file_path": "SKILL.md"}], {}),
}


@driven(*CALLS, by=NEW)
def test_what_is_not_offered_is_refused_in_words(sdk: Sdk) -> None:
    for method, (args, kwargs) in CALLS.items():
        with pytest.raises(SdkError, match="not offered") as refused:
            sdk(method, *args, **kwargs)
        assert (refused.value.status, refused.value.code, refused.value.name) == (501, 501, "not_implemented"), method


@driven("SKILL_TOOLS.list_skills", by=NEW)
def test_tools_for_no_skills_need_no_server(sdk: Sdk) -> None:
    assert sdk("SKILL_TOOLS.list_skills", [], {}) == "No skills available in the current context."
