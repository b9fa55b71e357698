"""The dashboards as files: generated, consistent, and of metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from shipped import script

ROOT = Path(__file__).parent.parent.parent
OURS = re.compile(r"\bheatpool_(?!daily_)\w+")
BUILD = script(ROOT / "deploy" / "grafana" / "build.py")
METRICS = script(ROOT / "docs" / "operations" / "metrics.py")


def test_the_page_of_metrics_is_current() -> None:
    """Every metric of every service is documented: run `make dashboards` after a change."""
    assert METRICS.PAGE.read_text("utf-8") == METRICS.text()


@pytest.mark.parametrize("uid", BUILD.DASHBOARDS)
def test_a_dashboard_is_what_its_table_says(uid: str) -> None:
    """The committed file is the generated one; ids and titles are unique."""
    text = (BUILD.FOLDER / f"{uid}.json").read_text("utf-8")
    panels = json.loads(text)["panels"]
    titles = [one["title"] for one in panels if one["type"] != "row"]

    assert text == BUILD.text(uid)
    assert len({one["id"] for one in panels}) == len(panels)
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("uid", BUILD.DASHBOARDS)
def test_panels_lie_beside_each_other(uid: str) -> None:
    """Within 24 columns, none over another."""
    taken: set[tuple[int, int]] = set()
    for one in BUILD.dashboard(uid)["panels"]:
        place = one["gridPos"]
        cells = {
            (place["x"] + dx, place["y"] + dy)
            for dx in range(place["w"])
            for dy in range(place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize("uid", BUILD.DASHBOARDS)
def test_every_panel_says_what_it_shows_of_a_metric_that_exists(uid: str) -> None:
    """Unit, description, the data source of choice, and names from the services' registry."""
    for one in BUILD.dashboard(uid)["panels"]:
        if one["type"] == "row":
            continue
        used = {name for target in one["targets"] for name in OURS.findall(target["expr"])}

        assert one["description"].endswith((".", ")"))
        assert one["fieldConfig"]["defaults"]["unit"]
        assert one["datasource"]["uid"] == "${datasource}"
        assert used <= METRICS.names(), one["title"]
