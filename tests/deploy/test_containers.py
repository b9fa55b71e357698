"""Dockerfile and compose file: linted, held to the rules, and their own commands run here.

There is no Docker where the suite runs: what an image would do is done in folders.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from compose_spec import PyCompose, PyOptions
from shipped import DEPLOY, ROOT, SERVICES, keys_in, settings_of

DOCKERFILE = DEPLOY / "compose" / "Dockerfile"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
EXAMPLE = DEPLOY / "compose" / ".env.example"
VARIABLE = re.compile(r"\$\{(\w+)(?::[?-][^}]*)?\}")  # as compose writes them


class Limits(msgspec.Struct):
    """`deploy.resources.limits` of a service."""

    cpus: float
    memory: str


class Service(msgspec.Struct):
    """What the rules look at."""

    image: str
    restart: str
    read_only: bool
    cap_drop: list[str]
    security_opt: list[str]
    deploy: dict[str, dict[str, Limits]]
    healthcheck: dict[str, object]
    environment: dict[str, str] = {}
    ports: list[str] = []
    secrets: list[str] = []


def _example() -> dict[str, str]:
    lines = (line for line in EXAMPLE.read_text().splitlines() if not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def _compose() -> PyCompose:
    options = PyOptions()
    options.apply_merge = True
    values = _example()
    return options.from_yaml(VARIABLE.sub(lambda found: values[found[1]], COMPOSE.read_text()))


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    """The services of the compose file, anchors resolved."""
    found = _compose().to_dict()["services"]
    return {name: msgspec.convert(one, Service, strict=False) for name, one in found.items()}


def test_the_dockerfile_has_no_fault_that_a_linter_knows() -> None:
    """hadolint, with ShellCheck inside, on every instruction."""
    answer = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.returncode, answer.stdout) == (0, "")


def test_the_compose_file_is_one_and_names_nothing_that_is_missing() -> None:
    """By the compose specification; networks, volumes and secrets that are used are declared."""
    _compose().validate()


def test_every_container_is_read_only_and_has_limits(services: dict[str, Service]) -> None:
    """No capability but what is given, no new privilege, memory and processor bounded."""
    for name, one in services.items():
        limits = one.deploy["resources"]["limits"]
        assert one.read_only, name
        assert one.cap_drop == ["ALL"], name
        assert one.security_opt == ["no-new-privileges:true"], name
        assert one.healthcheck["test"], name
        assert one.restart == "unless-stopped", name
        assert limits.cpus, name
        assert limits.memory, name


def test_every_image_has_a_version(services: dict[str, Service]) -> None:
    """`latest` is another program tomorrow."""
    tags = {one.image.rpartition(":")[2] for one in services.values()}

    assert all(any(char.isdigit() for char in tag) for tag in tags)
    assert "latest" not in COMPOSE.read_text() + DOCKERFILE.read_text()


def test_one_port_is_public(services: dict[str, Service]) -> None:
    """443 of Caddy; whatever else is published listens on this machine alone."""
    public = {
        (name, port)
        for name, one in services.items()
        for port in one.ports
        if not port.startswith("127.0.0.1:")
    }

    assert public == {("caddy", "443:443")}


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_brings_the_settings_that_its_service_starts_with(
    service: str, services: dict[str, Service], tmp_path: Path
) -> None:
    """Secrets are files; the probe asks the port that the service has."""
    keys = keys_in(tmp_path)
    for name, one in services.items():
        if name.partition("-")[0] != service:
            continue
        environ = {
            key: value.replace("/run/secrets/", f"{keys}/")
            for key, value in one.environment.items()
        }
        fields = msgspec.structs.asdict(settings_of(service, environ))
        named = {Path(value).name for value in environ.values() if value.startswith(str(keys))}

        assert named == set(one.secrets)
        assert fields["private_host"] == "0.0.0.0"  # noqa: S104 - inside a network of its own
        assert f":{fields['private_port']}/health/ready" in str(one.healthcheck["test"])


def test_the_example_sets_what_the_compose_file_asks_for_and_no_secret() -> None:
    """Every variable, and none that looks like a key, a token or a password."""
    assert set(VARIABLE.findall(COMPOSE.read_text())) == set(_example())
    assert all(len(value) < 24 for value in _example().values())


@pytest.mark.slow  # five environments
@pytest.mark.parametrize("service", [*SERVICES, "deploy"])
def test_an_image_holds_what_its_service_needs_and_no_other_service(
    service: str, tmp_path: Path
) -> None:
    """The build's own commands on a context of the copied folders, then the image's command."""
    context, prefix = tmp_path / "src", tmp_path / "opt"
    values = {"SERVICE": service, "MEMBER": f"services/{service}", "PROGRAM": f"heatpool-{service}"}
    if service == "deploy":
        values |= {"MEMBER": "deploy", "PROGRAM": "heatpoolctl"}
    stage = DOCKERFILE.read_text().partition(" AS build")[2].partition("\nFROM")[0]
    copies = [_filled(line, values) for line in stage.splitlines() if line.startswith("COPY ")]
    for source, target in (line.split()[1:] for line in copies if line.count(" ") == 2):
        shutil.copytree(ROOT / source, context / target, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, context)
    (run,) = (_filled(line, values) for line in stage.splitlines() if line.startswith("RUN "))
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    subprocess.run(
        [uv, *shlex.split(run)[2:], "--quiet"],
        cwd=context,
        env=os.environ | {"UV_PROJECT_ENVIRONMENT": str(prefix), "VIRTUAL_ENV": ""},
        check=True,
    )
    installed = {path.name for path in (prefix / "lib/python3.11/site-packages").iterdir()}
    started = subprocess.run(
        ["/bin/sh", "-c", 'exec "$PROGRAM" $0', "status" if service == "deploy" else ""],
        env={"PATH": f"{prefix}/bin:/usr/bin:/bin", "PROGRAM": values["PROGRAM"]},
        capture_output=True,
        text=True,
        check=False,
    )

    ours = {name for name in (*SERVICES, "deploy") if f"heatpool_{name}" in installed}
    prefix_of = "CTL" if service == "deploy" else service.upper()
    assert ours == {service}
    assert "pytest" not in installed
    assert started.returncode == 1
    assert f"HEATPOOL_{prefix_of}_NATS_URL: is missing" in started.stderr


def _filled(line: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        line = line.replace(f"${{{name}}}", value)
    return line
