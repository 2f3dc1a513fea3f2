"""The compose file and what lies beside it, as far as that can be tried without Docker."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from craftlog.cli.child import program
from craftlog.cli.stack import SERVICES
from craftlog.gateway.app import GatewaySettings
from craftlog.observer.app import ObserverSettings
from craftlog.runtime.settings import Settings
from craftlog.testing.stack import Stack

ROOT = Path(__file__).parents[2]
OWN = {"gateway": GatewaySettings, "ingest": Settings, "observer": ObserverSettings}


@pytest.fixture(scope="module")
def parts() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return loaded


class TestCompose:
    def test_every_part_says_whether_it_is_well(self, parts):
        assert {name for name, part in parts.items() if "healthcheck" not in part} == set()

    def test_every_service_has_an_image_of_its_own(self, parts):
        built = {name: part["build"]["args"]["SERVICE"] for name, part in parts.items() if "build" in part}
        assert built == {name: name for name in SERVICES}

    def test_every_image_is_pinned_to_a_version(self, parts):
        assert all(re.search(r":\D*\d+\.?\d+", part["image"]) for part in parts.values())

    def test_nothing_is_open_to_other_machines(self, parts):
        published = [port for part in parts.values() for port in part.get("ports", ())]
        assert len(published) == 2
        assert all(port.startswith("127.0.0.1:") for port in published)

    @pytest.mark.parametrize(("name", "settings"), OWN.items())
    def test_what_it_sets_is_what_craftlog_up_sets(self, parts, name, settings, stack: Stack):
        # A variable with a typing error would be ignored by the service, which would then look for its default.
        known = set(stack.env) | {"CRAFTLOG_S3_PUBLIC_URL", "CRAFTLOG_OTLP_ENDPOINT", "CRAFTLOG_LOG_LEVEL"}
        own = {f"CRAFTLOG_{field.upper()}" for field in settings.model_fields}
        assert set(parts[name]["environment"]) <= known | own

    def test_the_observer_can_be_set_in_all_that_it_has_of_its_own(self, parts):
        own = ObserverSettings.model_fields.keys() - Settings.model_fields.keys()
        assert {f"CRAFTLOG_{field.upper()}" for field in own} <= set(parts["observer"]["environment"])


class TestBeside:
    def test_nats_accepts_its_configuration(self):
        command = [program("nats-server"), "-t", "-c", str(ROOT / "deploy" / "nats.conf")]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0

    @pytest.mark.parametrize("service", [*SERVICES, "nobody"])
    def test_the_health_check_tells_who_answers(self, service: str, stack: Stack):
        own = {"SERVICE": service, "CRAFTLOG_PORT": str(stack.port)}
        command = [sys.executable, str(ROOT / "deploy" / "healthcheck.py")]
        done = subprocess.run(command, env=os.environ | stack.env | own, capture_output=True, check=False)
        assert (done.returncode == 0) == (service != "nobody"), done.stderr.decode()
