"""What somebody may have meant by a filter that can't be read, or that finds nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from z4j_django import states
from z4j_django.agent import traces
from z4j_django.exceptions import FilterError
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import lookups, tasks
from z4j_django.queries.filter import offers, terms, words
from z4j_django.queries.filter.terms import TERMS, Kind, Term
from z4j_django.queries.filter.values import Exact, Prefix, Value
from z4j_django.queries.filter.words import Text, Word
from z4j_django.queries.status import STATUSES

#: Mistakes of one filter that are mended, at most.
_MISTAKES: Final = 5
#: What people call states and statuses.
_SAID: Final = {
    "failed": "state:FAILURE",
    "failures": "state:FAILURE",
    "succeeded": "state:SUCCESS",
    "retried": "state:RETRY",
    "error": "state:FAILURE",
    "errors": "state:FAILURE",
    "failing": "state:FAILURE",
    "broken": "state:FAILURE",
    "running": "state:STARTED",
    "active": "state:STARTED",
    "waiting": "state:PENDING",
    "queued": "state:PENDING",
    "scheduled": "is:due",
    "reserved": "state:RECEIVED",
    "done": "state:SUCCESS",
    "ok": "state:SUCCESS",
    "finished": "state:SUCCESS",
    "completed": "state:SUCCESS",
    "cancelled": "state:REVOKED",
    "canceled": "state:REVOKED",
    "stuck": "is:long",
    "slow": "is:long",
}
#: What people call terms, likewise.
_CALLED: Final = {
    "task": "name",
    "status": "state",
    "exception": "error",
    "host": "worker",
    "hostname": "worker",
    "age": "sent",
    "created": "sent",
    "duration": "runtime",
    "took": "runtime",
    "uuid": "id",
    "version": "release",
    "tenant": "project",
}
#: How alike two words are of which one may be meant by the other.
_ALIKE: Final = 0.72
_AGES: Final = "moment"
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
#: Columns of tasks whose values are looked through in an index.
_COLUMNS: Final = ("name", "queue", "worker", "schedule")


def of_mistake(text: str) -> str | None:
    """The filter that may be meant by one that can't be read; ``None``: nobody knows."""
    mended = text
    for _ in range(_MISTAKES):
        try:
            filters.parse(mended)
        except FilterError as error:
            following = _mended(mended, error.position)
            if following is None or len(following) > words.LENGTH_LIMIT:
                return None
            mended = following
        else:
            return mended if mended != text else None
    return None


def of_words(asked: filters.Filter) -> str | None:
    """The same filter with states for free words that are what people call them."""
    found = tuple(_state_for(one) or one for one in asked.terms)
    return str(replace(asked, terms=found)) if found != asked.terms else None


def of_nothing_found(asked: filters.Filter) -> str | None:
    """The same filter with values that are on record for those that are not."""
    found = tuple(_on_record(one) for one in asked.terms)
    return str(replace(asked, terms=found)) if found != asked.terms else None


def _mended(text: str, position: int) -> str | None:
    """The filter with the term at a position mended."""
    try:
        known = words.words(text)
    except FilterError:
        return f'{text}"' if not text.endswith("\\") else None  # a quote was left open
    for word in known:
        if word.position == position:
            better = _term(word)
            begin = position - 1
            end = begin + len(word.typed)
            return None if better is None else f"{text[:begin]}{better}{text[end:]}"
    return None


def _term(word: Word) -> str | None:
    """A term that can be read, for one that can't."""
    if word.name is None:
        return None
    sign = "-" if word.negated else ""
    name, *path = str(word.name).split(".")
    if name not in TERMS:
        near = _CALLED.get(name.lower()) or _nearest(name.lower(), TERMS)
        if near is None:
            return None
        return f"{sign}{'.'.join((near, *path))}:{','.join(map(_typed, word.values))}"
    kind = TERMS[name]
    if kind.shape in ("state", "status"):
        better = _state(str(word.values[0])) if len(word.values) == 1 else _several(kind, word)
        return f"{sign}{better}" if better else None
    if kind.shape == _AGES:
        # An age wants to be compared: "of the last two hours" is what most mean by it.
        return f"{sign}{name}:{','.join(f'<{value}' for value in map(str, word.values))}"
    return None


def _typed(value: Text) -> str:
    return "".join(words.quote(piece) if quoted else piece for piece, quoted in value.pieces)


def _state(said: str) -> str | None:
    """The state or status that somebody means, as a term."""
    said = said.strip().casefold()
    if said in _SAID:
        return _SAID[said]
    if said.upper() in states.ALL:
        return f"state:{said.upper()}"
    if said in STATUSES:
        return f"is:{said}"
    if near := _nearest(said.upper(), states.ALL):
        return f"state:{near}"
    if near := _nearest(said, STATUSES):
        return f"is:{near}"
    return _SAID[near] if (near := _nearest(said, _SAID)) else None


def _several(kind: Kind, word: Word) -> str | None:
    """Several values, which have to be of one term."""
    found = [_state(str(value)) for value in word.values]
    if not all(one is not None and one.startswith(f"{kind.name}:") for one in found):
        return None
    return f"{kind.name}:{','.join(str(one).partition(':')[2] for one in found)}"


def _state_for(term: Term) -> Term | None:
    if term.name != terms.FREE:
        return None
    said = str(term.values[0]).strip('"').casefold()
    is_one = said in _SAID or said in STATUSES or said.upper() in states.ALL
    if not is_one or (meant := _state(said)) is None:
        return None
    (read,) = filters.parse(meant).terms
    return replace(read, negated=term.negated)


def _on_record(term: Term) -> Term:
    """A term whose values are on record, as near as they are to those that it has."""
    if term.negated:
        return term
    if term.name == terms.FREE:
        return _for_free(term)
    if term.kind.suggestions is None or term.kind.shape not in ("pattern", "text"):
        return term
    return replace(term, values=tuple(_value(term.kind, one) for one in term.values))


def _value(kind: Kind, value: Value) -> Value:
    if not isinstance(value, Exact | Prefix) or not value.text or kind.suggestions is None:
        return value
    if begun := kind.suggestions(value.text):
        # It is on record, or begins what is: this may be what is meant.
        is_known = isinstance(value, Prefix) or value.text in begun
        return value if is_known else Exact(begun[0])
    near = _nearest_of(value.text, _known(kind))
    return Exact(near) if near else value


def _for_free(term: Term) -> Term:
    said = str(term.values[0]).strip('"')
    if trace_id := _trace(said):
        return terms.exactly("trace", trace_id)
    if offers.names(said):
        return term
    near = _nearest_of(said, _known(TERMS["name"]))
    if near is not None:
        return terms.exactly("name", near)
    meant = _state(said)
    return filters.parse(meant).terms[0] if meant else term


def _trace(said: str) -> str:
    """The id of a trace on record, as its tracer or a message's header tells it."""
    trace_id = traces.ids(said.lower())[0] or said.lower()
    is_one = _TRACE_ID.fullmatch(trace_id) and TaskRecord.objects.filter(trace_id=trace_id).exists()
    return trace_id if is_one else ""


def _known(kind: Kind) -> list[str]:
    if kind.column in _COLUMNS:
        return lookups.distinct_values(TaskRecord, kind.column, tasks.KNOWN_NAMES_LIMIT)
    return kind.suggestions("") if kind.suggestions is not None else []


def _nearest_of(said: str, known: Iterable[str]) -> str | None:
    """The nearest of some values, which may be said by what follows their last dot."""
    by_form: dict[str, str] = {}
    for value in known:
        by_form.setdefault(value.casefold(), value)
        by_form.setdefault(value.rpartition(".")[2].casefold(), value)
    near = _nearest(said.casefold(), by_form)
    return by_form[near] if near else None


def _nearest(said: str, known: Iterable[str]) -> str | None:
    found = difflib.get_close_matches(said[:255], list(known), n=1, cutoff=_ALIKE)
    return found[0] if found else None
