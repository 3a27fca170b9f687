"""Buckets, their sums, and what is read from them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from z4j_django import histograms
from z4j_django.histograms import BOUNDS, Histogram

lengths = st.floats(0.0, BOUNDS[-1])
counts = st.dictionaries(st.integers(0, len(BOUNDS)), st.integers(1, 10**9))


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(-5.0, 0), (0.0, 0), (0.001, 0), (0.0011, 1), (0.002, 2), (1.024, 20), (1e300, 73)],
)
def test_a_length_has_its_bucket(seconds: float, bucket: int) -> None:
    assert histograms.bucket_of(seconds) == bucket


@given(lengths)
def test_a_bucket_is_wider_than_its_lengths_by_root_two_at_most(seconds: float) -> None:
    bucket = histograms.bucket_of(seconds)
    assert seconds <= BOUNDS[bucket]
    assert bucket == 0 or seconds > BOUNDS[bucket - 1]


@given(st.lists(lengths, min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_percentile_is_off_by_root_two_at_most(found: list[float], share: float) -> None:
    histogram: Histogram = {}
    for seconds in found:
        histograms.add(histogram, {histograms.bucket_of(seconds): 1})
    exact = sorted(found)[math.ceil(share * len(found)) - 1]
    about = histograms.percentile(histogram, share)
    assert about is not None
    assert about <= max(exact, BOUNDS[0]) * math.sqrt(2) * (1 + 1e-9)
    assert exact <= max(about, BOUNDS[0]) * math.sqrt(2) * (1 + 1e-9)


def test_of_nothing_there_is_no_percentile() -> None:
    assert histograms.percentile({}, 0.5) is None


@given(counts)
def test_a_column_holds_a_histogram(histogram: Histogram) -> None:
    column = histograms.packed(histogram)
    assert histograms.unpacked(column) == histogram
    assert histograms.packed(dict(sorted(histogram.items(), reverse=True))) == column


@given(counts, counts)
def test_histograms_add_up_in_any_order(one: Histogram, other: Histogram) -> None:
    found = histograms.total([one, other])
    assert found == histograms.total([other, one])
    assert sum(found.values()) == sum(one.values()) + sum(other.values())
