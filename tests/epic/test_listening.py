"""EPIC listens on this machine alone, as long as there is no login: the rules 10.1.5 to 10.1.8."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from epic.failure import CommandFailed
from epic.listening import BY_MAKE, BY_OPTION, BY_VARIABLE, Remedies, listen
from shared.schemas.topics import SERVICES
from tests.support.epic_command import Run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody uses."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        yield busy.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_an_address_of_loopback_is_taken_10_1_5(host: str) -> None:
    listen(host, 0).close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_any_other_address_is_refused_in_one_line_that_says_what_to_set_10_1_6(host: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        listen(host, 0)
    assert refused.value.text.startswith(f"{host} lets other machines in, and there is no login; give --host 127.0.0.1")
    assert "\n" not in refused.value.text


def test_behind_a_gateway_another_address_is_permitted_10_1_7() -> None:
    listen("0.0.0.0", 0, behind_gateway=True).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine_is_refused_with_the_remedy(host: str) -> None:
    with pytest.raises(CommandFailed, match=r"no address of this machine.*; give --host 127\.0\.0\.1"):
        listen(host, 0, behind_gateway=True)


@pytest.mark.parametrize(
    ("remedies", "remedy"),
    [
        (BY_OPTION, "--port {}"),
        (BY_VARIABLE, "EPIC_HTTP_PORT={}"),
        (BY_MAKE, "make run ARGS='--port {}'"),
    ],
)
def test_a_port_in_use_is_refused_with_the_remedy(taken: int, remedies: Remedies, remedy: str) -> None:
    with pytest.raises(CommandFailed) as failure:
        listen("127.0.0.1", taken, remedies=remedies)
    assert failure.value.text == (
        f"port {taken} of 127.0.0.1 is in use; stop what uses it, or take another: {remedy.format(taken + 1)}"
    )
    assert failure.value.exit_code == 2


def test_make_run_on_a_used_port_names_the_argument_of_make(
    run: Run, monkeypatch: pytest.MonkeyPatch, taken: int, tmp_path: Path
) -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nrun:")[2].splitlines()[1]
    name, value = re.findall(r"@(EPIC_\w+)=(\w+) exec", recipe)[0]
    monkeypatch.setenv(name, value)
    code, _, err = run("up", "--port", str(taken), "--data", str(tmp_path))
    assert code == 2
    assert err.endswith(f"or take another: make run ARGS='--port {taken + 1}'\n")


def test_up_and_serve_refuse_an_address_that_other_machines_reach(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = run("up", "--host", "0.0.0.0")
    assert (code, err.count("\n")) == (2, 1)
    monkeypatch.setenv("EPIC_HTTP_HOST", "0.0.0.0")
    code, _, err = run("serve", "event_svc")
    assert (code, err.count("\n")) == (2, 1)
    assert "give EPIC_HTTP_HOST=127.0.0.1" in err


def test_composes_gateway_is_on_127_0_0_1_and_its_services_publish_no_port_10_1_8() -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"gateway", "kafka"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    behind = {name for name, one in services.items() if (one.get("environment") or {}).get("EPIC_BEHIND_GATEWAY")}
    assert behind == set(SERVICES)
    for name in SERVICES:  # Prometheus asks a service by its name
        assert name in services[name]["environment"]["EPIC_ALLOWED_HOSTS"]
