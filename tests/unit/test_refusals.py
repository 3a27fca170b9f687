"""Whose fault an error of the database is."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pymysql
import pytest
from django import db
from django.core.exceptions import ImproperlyConfigured
from psycopg import errors

from z4j_django.store.refusals import Fault, fault


def wrapped(error: Exception, kind: type[db.DatabaseError] = db.OperationalError) -> Exception:
    """As Django raises what the driver raised."""
    outer = kind(*error.args)
    outer.__cause__ = error
    return outer


def by_mysql(number: int) -> Exception:
    return pymysql.OperationalError(number, "said by the server")


def by_sqlite(code: int) -> Exception:
    error = sqlite3.IntegrityError("said by the library")
    error.sqlite_errorcode = code
    return error


def by_postgresql(state: str) -> Exception:
    return errors.lookup(state)("said by the server")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        # mysqlclient's class for 1366 is that of an outage, PyMySQL's is not.
        *((by_mysql(number), Fault.EVENT) for number in (1366, 1406, 1264, 1153, 1048, 4025)),
        *((by_mysql(number), Fault.STORE) for number in (1205, 1213, 1114, 1054, 1146, 1364, 1290)),
        *((by_mysql(number), Fault.UNKNOWN) for number in (0, 2006, 2013, 1105)),
        *((by_postgresql(state), Fault.EVENT) for state in ("22P05", "23505", "21000", "54000")),
        *((by_postgresql(state), Fault.STORE) for state in ("23502", "42703", "40P01", "53100")),
        *((by_postgresql(state), Fault.UNKNOWN) for state in ("P0001", "XX000")),
        *((by_sqlite(code), Fault.EVENT) for code in (275, 18, 2067)),
        *((by_sqlite(code), Fault.STORE) for code in (1299, 1, 5, 13, 517)),
        (psycopg.OperationalError("the connection is lost"), Fault.UNKNOWN),
    ],
    ids=lambda value: repr(value)[:40],
)
@pytest.mark.parametrize("kind", [db.OperationalError, db.DatabaseError])
def test_the_number_tells_and_not_the_class(
    error: Exception, expected: Fault, kind: type[db.DatabaseError]
) -> None:
    assert fault(wrapped(error, kind)) is expected


@pytest.mark.parametrize("number", [1205, 2006])
def test_no_class_makes_an_outage_of_the_server_a_fault_of_the_event(number: int) -> None:
    assert fault(wrapped(by_mysql(number), db.DataError)) is not Fault.EVENT


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (wrapped(psycopg.DataError("text fields can't contain NUL"), db.DataError), Fault.EVENT),
        (db.DataError("refused before it was sent"), Fault.EVENT),
        (OverflowError("Python int too large"), Fault.EVENT),
        ("\ud800", Fault.EVENT),
        (OSError(1366, "no database's number"), Fault.UNKNOWN),
        (TypeError("who knows"), Fault.UNKNOWN),
        (ImproperlyConfigured("no SECRET_KEY"), Fault.STORE),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_without_a_number_the_class_tells(error: Any, expected: Fault) -> None:
    if isinstance(error, str):
        with pytest.raises(UnicodeEncodeError) as raised:
            error.encode()
        error = raised.value
    assert fault(error) is expected
