"""Our histograms by the bounds that are scraped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from z4j_django import histograms
from z4j_django.metrics import distributions

LENGTHS = st.lists(st.floats(min_value=0, max_value=1e6), max_size=50)


@given(LENGTHS)
def test_what_is_counted_up_to_a_bound_is_exact(lengths: list[float]) -> None:
    histogram: histograms.Histogram = {}
    for seconds in lengths:
        histograms.add(histogram, {histograms.bucket_of(seconds): 1})
    found = distributions.distribution(histogram)
    exact = [sum(one <= bound for one in lengths) for bound in distributions.BOUNDS]
    assert list(found.counts) == [*exact, len(lengths)]


@given(st.lists(st.floats(min_value=0.0011, max_value=1e6), min_size=1))
def test_the_sum_of_what_took_a_millisecond_is_off_by_a_fifth_at_most(lengths: list[float]) -> None:
    histogram: histograms.Histogram = {}
    for seconds in lengths:
        histograms.add(histogram, {histograms.bucket_of(seconds): 1})
    assert distributions.distribution(histogram).sum == pytest.approx(sum(lengths), rel=0.2)


def test_the_bounds_are_told_in_plain_decimals() -> None:
    assert distributions.WORDS[0] == "0.004"
    assert distributions.WORDS[-2:] == ("16777.216", "+Inf")
    assert [float(word) for word in distributions.WORDS[:-1]] == pytest.approx(distributions.BOUNDS)
    assert len(distributions.WORDS) == len(distributions.BOUNDS) + 1


@given(st.floats(min_value=0, max_value=1e9))
def test_an_exemplar_lies_within_the_bound_that_it_stands_at(seconds: float) -> None:
    place = distributions.place_of(seconds)
    bounds = (*distributions.BOUNDS, float("inf"))
    assert seconds <= bounds[place]
    assert place == 0 or seconds > bounds[place - 1]
