"""The dashboard and the rules in the docs are those that the declarations make."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from z4j_django.conditions.registry import CONDITIONS
from z4j_django.metrics import registry

sys.path.append(str(Path(__file__).parents[2] / "docs"))
import boards

#: What may stand for each metric in a question.
SERIES = {
    "counter": ("{}_total",),
    "gauge": ("{}",),
    "histogram": ("{}_bucket", "{}_sum", "{}_count"),
}
NAMES = {form.format(one.name) for one in registry.METRICS for form in SERIES[one.kind]}


def asked(text: str) -> set[str]:
    return set(re.findall(r"\bz4j_\w+", text))


def test_they_are_what_would_be_written() -> None:
    assert boards.DASHBOARD.read_text() == boards.dashboard(), "Run `make boards`."
    assert boards.RULES.read_text() == boards.rules(), "Run `make boards`."


def test_the_dashboard_has_a_chart_of_each_metric_and_asks_for_nothing_else() -> None:
    panels = json.loads(boards.dashboard())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    found = {name for text in expressions for name in asked(text)}
    assert found <= NAMES
    for one in registry.METRICS:
        assert not one.by or found & {form.format(one.name) for form in SERIES[one.kind]}
        assert set(one.by) <= set(one.labels)


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(boards.dashboard())["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells


def test_each_condition_has_an_alert_that_asks_for_a_metric_that_there_is() -> None:
    groups = yaml.safe_load(boards.rules())["groups"]
    alerts = {rule["alert"]: rule for group in groups for rule in group["rules"]}
    assert len(alerts) == len(CONDITIONS) + 2
    for rule in alerts.values():
        assert asked(rule["expr"]) <= NAMES
    for key in CONDITIONS:
        name = "Z4J" + key.title().replace("_", "")
        assert f'condition="{key}"' in alerts[name]["expr"]


def test_promtool_has_nothing_against_the_rules() -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("There is no promtool here.")
    ran = subprocess.run([promtool, "check", "rules", boards.RULES], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "SUCCESS" in ran.stdout
