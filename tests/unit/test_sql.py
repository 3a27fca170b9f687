"""The texts that the statements are given."""

from __future__ import annotations

import datetime
import zoneinfo

from hypothesis import given
from hypothesis import strategies as st

from z4j_django.store import sql

ZONES = [datetime.UTC, *map(zoneinfo.ZoneInfo, ("Asia/Kathmandu", "America/New_York"))]


@given(
    st.integers(-8 * 10**15, 8 * 10**15),
    st.sampled_from([0, 1]),
    st.sampled_from(ZONES),
)
def test_a_time_is_written_as_python_writes_it(
    microseconds: int, has_fraction: int, zone: datetime.tzinfo
) -> None:
    at = (microseconds if has_fraction else microseconds // 10**6 * 10**6) / 1e6
    moment = datetime.datetime.fromtimestamp(at, zone).replace(tzinfo=None)
    assert sql._as_text(at, zone) == str(moment)
