"""Settings say what is wrong in one line; logs are one JSON object a line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import pytest
import structlog

from epic.configuration import load_settings
from epic.failure import CommandFailed
from epic.log import configure_logging
from shared.trace import Trace, bind_trace


def test_without_any_variable_all_is_embedded() -> None:
    settings = load_settings({"PATH": "/bin"})
    assert (settings.transport, settings.data_dir, settings.http_host) == ("embedded", Path(".epic"), "127.0.0.1")
    assert settings.az_factor_map == {}


def test_every_variable_is_read() -> None:
    settings = load_settings(
        {
            "EPIC_TRANSPORT": "kafka",
            "EPIC_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
            "EPIC_NOW": "2024-06-15T09:00:00Z@2026-01-01T00:00:00Z",
            "EPIC_AZ_FACTOR_MAP": '{"us-east-1a": 2, "us-east-1b": "0.5"}',
            "EPIC_CORS_ORIGINS": "http://a, http://b",
            "EPIC_ALLOWED_HOSTS": "epic.example.com,[::1], 10.0.0.7",
            "EPIC_BEHIND_GATEWAY": "1",
            "EPIC_HTTP_PORT": "9000",
            "EPIC_LOG_LEVEL": "INFO",
            "EPIC_MAIL_DOMAIN": "",
            "EPIC_REQUIRE_DOCKER": "1",
        },
        http_port=None,
    )
    assert settings.az_factor_map == {"us-east-1a": Decimal(2), "us-east-1b": Decimal("0.5")}
    assert settings.cors_origins == ("http://a", "http://b")
    assert (settings.allowed_hosts, settings.behind_gateway) == (("epic.example.com", "::1", "10.0.0.7"), True)
    assert (settings.http_port, settings.mail_domain, settings.log_level) == (9000, None, "info")


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("EPIC_MAIL_DOMAINE", "x", "EPIC_MAIL_DOMAINE is not a variable of EPIC; did you mean EPIC_MAIL_DOMAIN?"),
        ("EPIC_QQQQQQ", "x", "EPIC_QQQQQQ is not a variable of EPIC; unset it"),
        ("EPIC_HTTP_PORT", "many", "EPIC_HTTP_PORT is 'many': input should be a valid integer"),
        ("EPIC_NOW", "2024-06-15T09:00:00", "has no time zone; add Z"),
        ("EPIC_NOW", "soon", "EPIC_NOW is 'soon'"),
        ("EPIC_HOTW_SCHEDULE", "0 6 * *", "no cron expression of five fields with one space between them; give five"),
        ("EPIC_HOTW_SCHEDULE", "0 24 * * *", "'24' is no hour; give five fields"),
        ("EPIC_AZ_FACTOR_MAP", "2:2:1", "give JSON, zone to factor"),
        ("EPIC_AZ_FACTOR_MAP", '{"us-east-1a": -1}', "the factor of us-east-1a is -1; give 0 (excluded) or more"),
        ("EPIC_MYSQL_URL", "bad", "EPIC_MYSQL_URL is 'bad': give mysql+aiomysql://user:password@host:3306/hotw"),
        ("EPIC_MYSQL_URL", "postgres://a:b@c/hotw", "give mysql+aiomysql://"),
        ("EPIC_MYSQL_URL", "mysql://a:b@c:port/hotw", "give mysql+aiomysql://"),
        ("EPIC_MYSQL_URL", "mysql://a:b@c", "give mysql+aiomysql://"),
        ("EPIC_MONGO_URL", "bad", "EPIC_MONGO_URL is 'bad': give mongodb://user:password@host:27017"),
        ("EPIC_MONGO_URL", "mongodb://h:many/", "give mongodb://user:password@host:27017"),
        ("EPIC_SMTP_URL", "bad", "EPIC_SMTP_URL is 'bad': give smtp://user:password@host:25 or smtps://"),
        ("EPIC_KAFKA_BOOTSTRAP_SERVERS", "bad", "EPIC_KAFKA_BOOTSTRAP_SERVERS is 'bad': give host:port"),
        ("EPIC_KAFKA_BOOTSTRAP_SERVERS", "a:9092,b", "give host:port"),
        ("EPIC_CORS_ORIGINS", "*", "EPIC_CORS_ORIGINS is '*': '*' is no origin; give one such as https://"),
        ("EPIC_CORS_ORIGINS", "http://a/", "without a path"),
        ("EPIC_ALLOWED_HOSTS", "localhost:8000", "'localhost:8000' is no name of a host; give names without a port"),
        ("EPIC_ALLOWED_HOSTS", "http://localhost", "give names without a port"),
        ("EPIC_TRANSPORT", "kafka", "set EPIC_KAFKA_BOOTSTRAP_SERVERS"),
        ("EPIC_TRANSPORT", "pigeon", "EPIC_TRANSPORT is 'pigeon'"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_remedy(variable: str, value: str, remedy: str) -> None:
    with pytest.raises(CommandFailed) as bad:
        load_settings({variable: value})
    assert remedy in str(bad.value)
    assert "\n" not in str(bad.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EPIC_MYSQL_URL", "mysql+aiomysql://epic:p%40ss@mysql:3306/hotw"),
        ("EPIC_MYSQL_URL", "mysql://root@127.0.0.1:33060/hotw?ssl=true"),
        ("EPIC_MONGO_URL", "mongodb://mongo:27017/?directConnection=true"),
        ("EPIC_MONGO_URL", "mongodb://a:27017,b:27017/?replicaSet=rs0"),
        ("EPIC_MONGO_URL", "mongodb+srv://user:p@cluster.example.com/"),
        ("EPIC_SMTP_URL", "smtp://localhost"),
        ("EPIC_SMTP_URL", "smtps://a:b@mail.example.com:465"),
        ("EPIC_KAFKA_BOOTSTRAP_SERVERS", "a:9092, b:9093"),
        ("EPIC_KAFKA_BOOTSTRAP_SERVERS", "[::1]:9092"),
    ],
)
def test_the_addresses_of_servers_are_taken_in_every_usual_form(variable: str, value: str) -> None:
    assert getattr(load_settings({variable: value}), variable.removeprefix("EPIC_").lower()) == value


@pytest.mark.parametrize("variable", ["EPIC_MYSQL_URL", "EPIC_MONGO_URL", "EPIC_SMTP_URL"])
def test_a_password_is_not_repeated(variable: str) -> None:
    with pytest.raises(CommandFailed) as bad:
        load_settings({variable: "ftp://epic:s3cr:et@host:99999/x"})
    assert "s3cr" not in str(bad.value)
    assert "et@" not in str(bad.value)


def test_the_variables_of_the_composed_stack_may_stay_exported() -> None:
    exported = {"EPIC_PORT": "9000", "EPIC_IMAGE": "epic:1", "EPIC_BY_MAKE_RUN": "1"}
    assert load_settings(exported) == load_settings({})


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Where a test may log to; afterwards all logs as before."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield tmp_path / "epic.log"
    for handler in [reference() for reference in logging._handlerList]:  # type: ignore[attr-defined]
        if isinstance(handler, RotatingFileHandler):
            handler.close()
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_logger_writes_json_lines_with_the_ids(log_file: Path) -> None:
    configure_logging("info", "json", file=log_file)
    structlog.contextvars.bind_contextvars(service="fleet_svc")
    with bind_trace(Trace("corr-1", "cause-1")):
        structlog.get_logger("a").info("event", number=5)
        logging.getLogger("b").warning("old %s", "style", extra={"more": 1})
        structlog.get_logger("a").debug("not logged")
    try:
        raise ValueError("boom")
    except ValueError:
        structlog.get_logger("a").exception("failed")
    lines = lines_of(log_file)
    assert [(line["event"], line["level"], line["service"]) for line in lines] == [
        ("event", "info", "fleet_svc"),
        ("old style", "warning", "fleet_svc"),
        ("failed", "error", "fleet_svc"),
    ]
    assert all((line["correlation_id"], line["causation_id"]) == ("corr-1", "cause-1") for line in lines[:2])
    assert (lines[0]["number"], lines[1]["more"]) == (5, 1)
    assert "correlation_id" not in lines[2]
    assert "ValueError: boom" in lines[2]["exception"]


def test_text_is_for_people(log_file: Path) -> None:
    configure_logging("info", "text", file=log_file)
    structlog.get_logger("a").info("event", number=5)
    assert "event" in log_file.read_text()
    assert "number" in log_file.read_text()


def test_a_client_that_repeats_itself_is_logged_every_ten_seconds(
    log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("epic.log.time.monotonic", lambda: now)
    configure_logging("info", "json", file=log_file)
    for number in range(25):
        logging.getLogger("aiokafka.conn").error("no connection to node %s", number)
        logging.getLogger("b").error("no connection to node %s", number)
        now += 0.5
    lines = lines_of(log_file)
    spared = [(line["event"], line.get("left_out")) for line in lines if line["logger"] == "aiokafka.conn"]
    assert spared == [("no connection to node 0", None), ("no connection to node 20", 19)]
    assert len(lines) == 27


def test_a_full_log_file_is_kept_beside_the_new_one(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epic.log._FILE_BYTES", 150)
    configure_logging("info", "json", file=log_file)
    for number in range(4):
        structlog.get_logger("a").info("an event", number=number, padding="x" * 60)
    assert [line["number"] for file in (log_file.with_name("epic.log.1"), log_file) for line in lines_of(file)] == [
        2,
        3,
    ]
