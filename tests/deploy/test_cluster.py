"""What is shipped for several nodes: Kubernetes' own schemas, HAProxy's own check, and that all parts fit together."""

import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from admission.redis_client import sentinels
from settings import Settings
from tests.deploy.test_proxies import need

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
NODES = {name: service for name, service in SERVICES.items() if name.startswith("node")}
MANIFESTS = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in DEPLOY.glob("kubernetes/*.yaml")}
POD = MANIFESTS["deployment.yaml"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


@pytest.mark.parametrize("name", sorted(MANIFESTS))
def test_a_manifest_is_what_kubernetes_takes(name):
    kubernetes_validate.validate(MANIFESTS[name], "1.33", strict=True)


def test_all_manifests_speak_of_the_same_pods():
    labels = MANIFESTS["deployment.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert MANIFESTS["service.yaml"]["spec"]["selector"] == labels
    assert MANIFESTS["disruption-budget.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert (
        MANIFESTS["autoscaler.yaml"]["spec"]["scaleTargetRef"]["name"]
        == MANIFESTS["deployment.yaml"]["metadata"]["name"]
    )
    assert MANIFESTS["service.yaml"]["spec"]["sessionAffinity"] == "None"


def test_a_pod_has_time_to_hand_its_calls_over():
    told = {each["name"]: each.get("value") for each in CONTAINER["env"]}
    pause = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert pause + float(told["DRAIN_SECS"]) + 15 <= POD["terminationGracePeriodSeconds"]
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_what_nodes_are_told_are_settings():
    told = {each["name"] for each in CONTAINER["env"]} - {"POD_IP"}
    told |= {name for node in NODES.values() for name in node["environment"]}
    assert {name.lower() for name in told} <= set(Settings.model_fields)


def test_three_nodes_differ_in_their_port_only():
    told = [dict(node["environment"]) for node in NODES.values()]
    ports = [each.pop("PORT") for each in told]
    assert len(set(ports)) == len(NODES) == 3
    assert told[0] == told[1] == told[2]
    for text in ((DEPLOY / "haproxy" / "cluster.cfg"), (DEPLOY / "prometheus-cluster.yml")):
        assert sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", text.read_text(encoding="utf-8")))) == sorted(ports)


def test_nodes_ask_the_sentinels_that_there_are():
    addresses, name, _ = sentinels(NODES["node1"]["environment"]["REDIS_URL"])
    watchers = {key: each for key, each in SERVICES.items() if key.startswith("sentinel")}
    assert [str(port) for _, port in addresses] == [each["environment"]["SENTINEL_PORT"] for each in watchers.values()]
    assert all(f"sentinel monitor {name} 127.0.0.1 6379 2" in each["command"][-1] for each in watchers.values())


def test_files_that_are_mounted_are_there_and_secrets_have_no_default():
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"\$\{(\w*(?:SECRET|PASSWORD))(?!\w*:\?)", text) == []


def test_haproxy_takes_its_configuration():
    haproxy = need("haproxy")
    checked = subprocess.run(
        [haproxy, "-c", "-f", str(DEPLOY / "haproxy" / "cluster.cfg")], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    assert "cookie" not in re.sub(r"#.*", "", (DEPLOY / "haproxy" / "cluster.cfg").read_text(encoding="utf-8"))
