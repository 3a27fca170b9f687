"""Writes the Grafana dashboard and the Prometheus rules in docs/boards/: ``make boards``.

A chart for each metric, an alert for each condition, as they are declared
(``z4j_django.metrics``, ``z4j_django.conditions``); a test compares what stands there with what
this would write.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

if TYPE_CHECKING:
    from z4j_django.conditions.base import Condition
    from z4j_django.metrics.base import Metric

DASHBOARD: Final = HERE / "boards/z4j-dashboard.json"
RULES: Final = HERE / "boards/z4j-rules.yaml"
_JOB: Final = '{job=~"$job"}'
#: Whoever scrapes several web processes is told the same by each.
_ONCE: Final = "max without (instance, pod) "
#: Lines of a chart.
_LINES: Final = 10
_WIDTH: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_UNITS: Final = {"seconds": "s", "bytes": "bytes"}
#: What stands at the head, in one number each; and from where on that is red.
_HEAD: Final = (
    ("Critical conditions", "sum(max by (job, condition) (z4j_condition_active{}))", "critical", 1),
    ("Warnings", "sum(max by (job, condition) (z4j_condition_active{}))", "warning", 1),
    ("Workers up", "sum(max by (job, worker) (z4j_worker_up{}))", "", None),
    ("Messages waiting", "sum(max by (job, queue) (z4j_queue_messages{}))", "", None),
)


def expressions(metric: Metric) -> Iterator[tuple[str, str]]:
    """What a chart of a metric asks for, and what it calls that."""
    by = ", ".join(metric.by)
    legend = " ".join(f"{{{{{label}}}}}" for label in metric.by)
    if metric.kind == "counter":
        rate = f"{_ONCE}(rate({metric.name}_total{_JOB}[$__rate_interval]))"
        yield f"topk({_LINES}, sum by ({by}) ({rate}))", legend
    elif metric.kind == "histogram":
        rate = f"{_ONCE}(rate({metric.name}_bucket{_JOB}[$__rate_interval]))"
        for share in (0.5, 0.95):
            quantile = f"histogram_quantile({share}, sum by (le, {by}) ({rate}))"
            yield f"topk({_LINES}, {quantile})", f"p{share * 100:g} {legend}"
    else:
        yield f"topk({_LINES}, max by ({by}) ({metric.name}{_JOB}))", legend


def dashboard() -> str:
    """The dashboard, as Grafana imports it."""
    from z4j_django.metrics import registry

    numbers = count(1)
    panels = [_stat(next(numbers), place, *head) for place, head in enumerate(_HEAD)]
    y = 4
    for title, metrics in registry.GROUPS.items():
        grid = {"x": 0, "y": y, "w": _WIDTH, "h": 1}
        row = {"id": next(numbers), "type": "row", "title": title, "gridPos": grid}
        panels.append({**row, "collapsed": False, "panels": []})
        y += 1
        drawn = [one for one in metrics if one.by]
        for place, metric in enumerate(drawn):
            grid = {"x": place % 2 * 12, "y": y + place // 2 * 8, "w": 12, "h": 8}
            panels.append(_chart(next(numbers), metric, grid))
        y += -(-len(drawn) // 2) * 8
    document = {
        "title": "Celery, by z4j",
        "uid": "z4j",
        "tags": ["celery", "django", "z4j"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": panels,
    }
    return json.dumps(document, indent=2) + "\n"


def _variables() -> list[dict[str, Any]]:
    query = "label_values(z4j_info, job)"
    job = {"name": "job", "label": "Job", "type": "query", "query": query, "definition": query}
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
        {**job, "datasource": _SOURCE, "includeAll": True, "multi": True, "refresh": 2},
    ]


def _stat(
    number: int, place: int, title: str, expression: str, severity: str, red: int | None
) -> dict[str, Any]:
    chosen = f'{{severity="{severity}",job=~"$job"}}' if severity else _JOB
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if red is not None:
        steps.append({"color": "red", "value": red})
    return {
        "id": number,
        "type": "stat",
        "title": title,
        "gridPos": {"x": place * 6, "y": 0, "w": 6, "h": 4},
        "datasource": _SOURCE,
        "targets": [{"refId": "A", "expr": expression.format(chosen), "instant": True}],
        "fieldConfig": {
            "defaults": {"thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
    }


def _chart(number: int, metric: Metric, grid: dict[str, int]) -> dict[str, Any]:
    is_rate = metric.kind == "counter"
    targets = [
        {"refId": "ABC"[place], "expr": expression, "legendFormat": legend}
        for place, (expression, legend) in enumerate(expressions(metric))
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": metric.name.removeprefix("z4j_").replace("_", " ").capitalize()
        + (" a second" if is_rate else ""),
        "description": metric.about,
        "gridPos": grid,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {
            "defaults": {"unit": _UNITS.get(metric.unit, "short"), "min": 0},
            "overrides": [],
        },
    }


def rules() -> str:
    """The rules, as Prometheus loads them."""
    from z4j_django.conditions.registry import CONDITIONS

    lines = ["# Made of the declarations: see docs/how-to/watch-from-prometheus.md.", "groups:"]
    lines += _group("z4j-conditions", (_of_condition(one) for one in CONDITIONS.values()))
    lines += _group("z4j-itself", _of_itself())
    return "\n".join(lines) + "\n"


def _of_condition(condition: Condition) -> dict[str, Any]:
    words = condition.key.split("_")
    return {
        "alert": "Z4J" + "".join(word.capitalize() for word in words),
        "expr": "max by (job, condition, severity) "
        f'(z4j_condition_active{{condition="{condition.key}"}}) > 0',
        "annotations": {
            "summary": condition.title,
            "description": f"{condition.about} {condition.remedy}",
            "subjects": "{{ $value }}",
        },
    }


def _of_itself() -> Iterator[dict[str, Any]]:
    """What no condition can say: that none is looked at, or told."""
    yield {
        "alert": "Z4JNotLookedAt",
        "expr": "time() - max by (job) (z4j_conditions_checked_timestamp_seconds) > 180",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "Nobody looks at what is wrong",
            "description": "No condition has been evaluated for three minutes. See whether a "
            "worker runs, and what manage.py z4j_doctor says.",
        },
    }
    yield {
        "alert": "Z4JMetricsMissing",
        "expr": "absent(z4j_info)",
        "for": "5m",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "No metrics of z4j are scraped",
            "description": "See whether the site answers at the address of the metrics, and "
            "whether the token is still that of its settings.",
        },
    }


def _group(name: str, alerts: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield f"  - name: {name}"
    yield "    rules:"
    for alert in alerts:
        begin = "      - "
        for key, value in alert.items():
            if isinstance(value, dict):
                yield f"{begin}{key}:"
                yield from (f"          {word}: {_quoted(text)}" for word, text in value.items())
            else:
                yield f"{begin}{key}: {_quoted(value)}"
            begin = "        "


def _quoted(text: str) -> str:
    """As a scalar of YAML, of which JSON is a part."""
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    import django

    django.setup()  # the conditions look at models
    DASHBOARD.parent.mkdir(exist_ok=True)
    DASHBOARD.write_text(dashboard())
    RULES.write_text(rules())
