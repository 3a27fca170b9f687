import json
import os
import threading
from queue import Empty

import pytest
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection

from example_project import environment, filesystem


@pytest.fixture(autouse=True)
def no_demo_environment(monkeypatch):
    monkeypatch.delenv("DEMO_DIR", raising=False)
    monkeypatch.delenv("DEMO_RUN", raising=False)


def test_the_database_is_sqlite_in_the_demos_folder_by_default(tmp_path):
    database = environment.database(None, tmp_path)
    assert database["NAME"] == str(tmp_path / ".demo" / "db.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_the_environment_moves_the_demos_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DEMO_DIR", str(tmp_path / "elsewhere"))
    assert environment.data_dir(tmp_path) == tmp_path / "elsewhere"


def test_a_sqlite_path_is_relative_to_the_project_or_absolute(tmp_path):
    assert environment.database("sqlite:///a/b.db", tmp_path)["NAME"] == str(tmp_path / "a/b.db")
    assert environment.database("sqlite:////a/b.db", tmp_path)["NAME"] == "/a/b.db"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgresql_url_is_taken_apart(scheme, tmp_path):
    assert environment.database(f"{scheme}://me:p%40ss@db.example:5433/shop", tmp_path) == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "5433",
    }


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_mysql_and_mariadb_are_spoken_to_in_utf8mb4_and_strictly(scheme, tmp_path):
    pytest.importorskip("pymysql")
    database = environment.database(f"{scheme}://root@127.0.0.1/shop", tmp_path)
    assert database["ENGINE"] == "django.db.backends.mysql"
    assert database["OPTIONS"]["charset"] == "utf8mb4"
    assert "STRICT_TRANS_TABLES" in database["OPTIONS"]["init_command"]


@pytest.mark.parametrize("url", ["oracle://x/y", "shop.db", "sqlite://", "sqlite://host/a"])
def test_a_url_of_no_known_database_is_refused_by_name(url, tmp_path):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL begins with"):
        environment.database(url, tmp_path)


def test_a_url_without_a_database_name_is_refused(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="names no database"):
        environment.database("postgresql://root@127.0.0.1/", tmp_path)


def test_a_brokers_url_is_passed_on(tmp_path):
    broker = environment.broker("redis://127.0.0.1:6379/5", tmp_path)
    assert broker["broker_url"] == "redis://127.0.0.1:6379/5"
    assert broker["broker_transport"] is None


def test_a_run_has_a_folder_and_a_queue_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DEMO_RUN", "r1")
    options = environment.broker(None, tmp_path)["broker_transport_options"]
    assert options["data_folder_in"] == str(tmp_path / ".demo/runs/r1/broker/messages")
    assert environment.queue() == "shop-r1"


def file_connection(base_dir):
    broker = environment.broker(None, base_dir)
    return Connection(
        broker["broker_url"],
        transport=broker["broker_transport"],
        transport_options=broker["broker_transport_options"],
    )


def test_what_is_not_yet_a_whole_message_is_not_a_message(tmp_path, monkeypatch):
    # Before 5.7 kombu finds a queue's messages by ".<queue>.msg" anywhere in a file's name.
    replace = os.replace

    def look_first(part, path):
        with file_connection(tmp_path) as other, pytest.raises(Empty):
            other.SimpleQueue("whole").get_nowait()
        replace(part, path)

    with file_connection(tmp_path) as connection:
        queue = connection.SimpleQueue("whole")
        monkeypatch.setattr(filesystem.os, "replace", look_first)
        queue.put("text")
        monkeypatch.undo()
        message = queue.get(timeout=30)
        assert message.payload == "text"
        message.ack()


def test_a_message_on_the_file_system_is_never_seen_half_written(tmp_path):
    big = "x" * 2_000_000

    def publish():
        with file_connection(tmp_path) as connection:
            queue = connection.SimpleQueue("q")
            for _ in range(20):
                queue.put(big)

    publisher = threading.Thread(target=publish)
    with file_connection(tmp_path) as connection:
        queue = connection.SimpleQueue("q")
        publisher.start()
        for _ in range(20):
            message = queue.get(timeout=30)
            assert message.payload == big
            message.ack()
    publisher.join()


def test_bindings_that_many_make_at_once_all_stand(tmp_path):
    def bind(number):
        with file_connection(tmp_path) as connection:
            connection.default_channel._queue_bind("shared", "", "", f"q{number}")

    threads = [threading.Thread(target=bind, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    table = json.loads((tmp_path / ".demo/broker/control/shared.exchange").read_text())
    assert sorted(queue for _, _, queue in table) == sorted(f"q{n}" for n in range(20))
    with file_connection(tmp_path) as connection:
        connection.default_channel._delete("q3", "shared", "", "")
        assert len(connection.default_channel.get_table("shared")) == 19
