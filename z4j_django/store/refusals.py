"""Whose fault it is that a batch was not stored, by the number of the database's error. Pure.

Django's classes can't tell: the same error is a ``DataError`` with one driver of MySQL and an
``OperationalError``, as an outage is, with the other.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, DataError, IntegrityError

#: PostgreSQL's classes of errors (the first two characters of a code): cardinality, data,
#: integrity, limits of a row.
_POSTGRESQL_EVENT: Final = ("21", "22", "23", "54")
#: Connection, transaction state, authorization, no such database or schema, rollback, access rule
#: or syntax, resources, state of an object, intervention, system.
_POSTGRESQL_STORE: Final = ("08", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58")
#: A column that is new to this version, and so is not written: the next version has it.
_POSTGRESQL_MISSED: Final = "23502"

#: TOOBIG, CONSTRAINT, MISMATCH; as above, NOT NULL is for a column that is new.
_SQLITE_EVENT: Final = frozenset({18, 19, 20})
_SQLITE_MISSED: Final = 1299
#: ERROR (no such column), PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL,
#: CANTOPEN, SCHEMA, AUTH, NOTADB.
_SQLITE_STORE: Final = frozenset({1, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 17, 23, 26})

_MYSQL_EVENT: Final = frozenset(
    {
        *(1048, 1062, 1451, 1452, 3819, 4025),  # null, duplicate, reference, condition
        *(1264, 1265, 1292, 1367, 1411, 1441, 1525, 1690),  # no such number, moment or value
        *(1300, 1366, 3988),  # a character that is none, or that the column's set does not have
        *(1118, 1153, 1301, 1406),  # too long: for a row, for the connection, for the column
        *(3140, 3141),  # not JSON
    }
)
_MYSQL_STORE: Final = frozenset(
    {
        *(1044, 1045, 1142, 1143, 1227),  # forbidden
        *(1046, 1049, 1051, 1054, 1064, 1146, 1364),  # no such table or column, or a new one
        *(1015, 1205, 1213, 1317, 1614, 1969, 3024),  # locked, or interrupted
        *(1021, 1028, 1030, 1036, 1114, 1290, 1836, 1792),  # full, or read-only
        *(1040, 1053, 1203, 1226, 1927),  # too many connections, or going down
        *(1194, 1195, 1034, 1035),  # a broken table
    }
)


class Fault(Enum):
    """What is in the way."""

    #: Something in the batch, now and later.
    EVENT = auto()
    #: The database, or its tables: this passes, or someone mends it.
    STORE = auto()
    UNKNOWN = auto()


def fault(error: Exception) -> Fault:
    """Whose fault an error is that was raised while a batch was stored.

    Args:
        error: Django's, whose cause is the driver's, or what else was raised.
    """
    cause = error.__cause__ if isinstance(error, DatabaseError) else None
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if isinstance(state, str):
        missed = state == _POSTGRESQL_MISSED
        return _of(state[:2] in _POSTGRESQL_EVENT, missed or state[:2] in _POSTGRESQL_STORE)
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        missed = code == _SQLITE_MISSED
        return _of(code & 0xFF in _SQLITE_EVENT, missed or code & 0xFF in _SQLITE_STORE)
    number = cause.args[0] if cause is not None and cause.args else None
    if isinstance(number, int):
        return _of(number in _MYSQL_EVENT, number in _MYSQL_STORE)
    # What a driver, or Python, refuses before the database sees it has no number.
    of_event = isinstance(error, DataError | IntegrityError | OverflowError | ValueError)
    return _of(of_event, isinstance(error, ImproperlyConfigured))


def _of(event: bool, store: bool) -> Fault:
    return Fault.STORE if store else Fault.EVENT if event else Fault.UNKNOWN
