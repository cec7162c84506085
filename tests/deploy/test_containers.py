"""Dockerfile and compose.yaml name what is there. No container engine is needed, and none is tried."""

import re
from pathlib import Path

import yaml

from settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_every_file_that_is_mounted_is_there():
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source


def test_what_the_bot_is_told_are_settings():
    told = COMPOSE["services"]["bot"]["environment"]
    assert {name.lower() for name in told} <= set(Settings.model_fields)
    assert {name.lower() for name in re.findall(r"^ +(BANK_FILE)=", DOCKERFILE, re.MULTILINE)} <= set(
        Settings.model_fields
    )


def test_bot_and_turn_server_share_one_secret_and_one_port():
    coturn = COMPOSE["services"]["coturn"]["command"]
    bot = COMPOSE["services"]["bot"]["environment"]
    assert f"--static-auth-secret={bot['TURN_SECRET']}" in coturn
    port = bot["ICE_SERVERS"].rsplit(":", 1)[1]
    assert f"--listening-port={port}" in coturn
    assert "--use-auth-secret" in coturn


def test_what_is_not_for_callers_listens_on_this_machine_only():
    services = COMPOSE["services"]
    assert services["bot"]["environment"]["HOST"] == "127.0.0.1"
    assert "127.0.0.1" in services["redis"]["command"]
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_no_secret_has_a_default():
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"\$\{(\w*(?:SECRET|PASSWORD))(?!\w*:\?)", text) == []


def test_the_image_is_not_root_installs_the_exact_packages_and_asks_for_health():
    lines = DOCKERFILE.splitlines()
    assert re.search(r"^USER (?!root)\w+$", DOCKERFILE, re.MULTILINE)
    assert lines.index("USER parley") > max(number for number, line in enumerate(lines) if line.startswith("RUN"))
    assert "--require-hashes -r /src/requirements/run.txt" in DOCKERFILE
    assert "/health" in DOCKERFILE
    for copied in re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE):
        assert (ROOT / copied).exists()
