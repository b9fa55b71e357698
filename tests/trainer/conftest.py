"""Simulated homes and a detector trained on them, once for all tests of the trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.recorded import PLAN, record

from heatpool_trainer.catalogue import Catalogue, load_catalogue
from heatpool_trainer.plan import Candidate
from heatpool_trainer.rebuild import rebuild

if TYPE_CHECKING:
    from heatpool_trainer.readings import HomeSeries


@pytest.fixture(scope="session")
def homes() -> list[HomeSeries]:
    """Five homes for twelve days."""
    return record(range(5), 12.0)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The catalogue of the package."""
    return load_catalogue()


@pytest.fixture(scope="session")
def candidate(homes: list[HomeSeries], catalogue: Catalogue) -> Candidate:
    """Trained on the five homes."""
    found = rebuild(homes, PLAN, catalogue)
    assert isinstance(found, Candidate)
    return found
