"""What operators are given: units, environment files, container files, read as they are."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING

from heatpool_chassis.settings import load
from heatpool_deploy.bus_users import make_users
from heatpool_deploy.keys import make_keys
from heatpool_ingest import settings as ingest
from heatpool_modelhub import settings as modelhub
from heatpool_trainer import settings as trainer
from heatpool_writer import settings as writer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    import msgspec

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
SERVICES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "ingest": (ingest.Settings, ingest.PREFIX),
    "writer": (writer.Settings, writer.PREFIX),
    "trainer": (trainer.Settings, trainer.PREFIX),
    "modelhub": (modelhub.Settings, modelhub.PREFIX),
}


def script(path: Path) -> ModuleType:
    """A script that is in no package, as a module; what stands below `__main__` does not run."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def keys_in(folder: Path) -> Path:
    """The keys of a new pool."""
    counter = iter(range(1, 10_000))

    def random(size: int) -> bytes:
        """Different each time, and the same in every run."""
        return next(counter).to_bytes(2, "big") * (size // 2)

    make_keys(folder, random, int(time.time()))
    make_users(folder, random)
    return folder


def settings_of(service: str, environ: Mapping[str, str]) -> msgspec.Struct:
    """What the service would run with.

    Raises:
        SettingsError: it would refuse to start.
    """
    kind, prefix = SERVICES[service]
    return load(kind, prefix, environ)
