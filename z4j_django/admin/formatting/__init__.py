"""The components of our pages: values as a person reads them.

Pure functions; everything they return is safe HTML or text. A thing looks the same wherever it
stands, because it is made here.
"""

from z4j_django.admin.formatting.charts import bar, bars, pace_bar, progress, slots, sparkline
from z4j_django.admin.formatting.moments import (
    due,
    elapsed,
    full_moment,
    iso_moment,
    moment,
    precise,
    span,
)
from z4j_django.admin.formatting.names import (
    act,
    identifier,
    missing,
    name,
    plain,
    release,
    short_id,
    short_release,
    text,
)
from z4j_django.admin.formatting.numbers import (
    count,
    duration,
    percent,
    runtime,
    share,
    short,
    total,
)
from z4j_django.admin.formatting.states import (
    badge,
    coloured,
    kind,
    mark,
    paused,
    pill,
    sign,
    standing,
    status,
    verb,
)
from z4j_django.admin.formatting.texts import (
    TEXT_LIMIT,
    bounded,
    joined,
    pretty_json,
    prose,
    stacked,
)

__all__ = [
    "TEXT_LIMIT",
    "act",
    "badge",
    "bar",
    "bars",
    "bounded",
    "coloured",
    "count",
    "due",
    "duration",
    "elapsed",
    "full_moment",
    "identifier",
    "iso_moment",
    "joined",
    "kind",
    "mark",
    "missing",
    "moment",
    "name",
    "pace_bar",
    "paused",
    "percent",
    "pill",
    "plain",
    "precise",
    "pretty_json",
    "progress",
    "prose",
    "release",
    "runtime",
    "share",
    "short",
    "short_id",
    "short_release",
    "sign",
    "slots",
    "span",
    "sparkline",
    "stacked",
    "standing",
    "status",
    "text",
    "total",
    "verb",
]
