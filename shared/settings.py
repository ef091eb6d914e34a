"""The configuration: every ``EPIC_*`` variable, its type and its default."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.clock import parse_instant

PREFIX: Final = "EPIC_"
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_SECRET: Final = re.compile(r"(//[^:/@]*):.*@")
_ORIGIN: Final = re.compile(r"https?://[^/?#@\s]+")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?")


def _parts(url: str) -> SplitResult | None:
    """A URL in its parts; None where it cannot be taken apart, its port included."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def without_password(text: str) -> str:
    """The text without the password of a URL in it, since it may be logged."""
    return _SECRET.sub(r"\1:***@", text)


def _servers(value: str) -> str:
    for server in value.split(","):
        parts = _parts(f"kafka://{server.strip()}")
        if parts is None or not parts.hostname or not parts.port or parts.path or "@" in server:
            raise ValueError("give host:port, several separated by commas, such as kafka:9092")
    return value


def _mongo_url(value: str) -> str:
    from pymongo.errors import PyMongoError  # only those who use MongoDB wait for its driver
    from pymongo.uri_parser import parse_uri

    try:
        if not value.startswith("mongodb+srv://"):  # its hosts are asked of DNS, which may be away now and back later
            parse_uri(value, warn=False)
    except (PyMongoError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"give mongodb://user:password@host:27017 ({without_password(reason)})") from None
    return value


def _mysql_url(value: str) -> str:
    parts = _parts(value)
    schemes = ("mysql", "mysql+aiomysql", "mariadb")
    if parts is None or parts.scheme not in schemes or not parts.hostname or not parts.path.strip("/"):
        raise ValueError("give mysql+aiomysql://user:password@host:3306/hotw (an @ or / of the password as %40 or %2F)")
    return value


def _smtp_url(value: str) -> str:
    parts = _parts(value)
    if parts is None or parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("give smtp://user:password@host:25 or smtps://user:password@host:465")
    return value


def _now(value: str) -> str:
    for part in value.split("@"):
        if part and not 1971 <= parse_instant(part).year < 2038:
            raise ValueError(f"{part!r} is not from 1971 to 2037, which is as far as HOTW's tables go")
    return value


def _factors(value: Any) -> Any:
    try:
        given = json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
        factors = {zone: Decimal(str(factor)) for zone, factor in given.items()}
    except (json.JSONDecodeError, ArithmeticError, AttributeError):
        raise ValueError('give JSON, zone to factor, such as {"us-east-1a": 2, "us-east-1c": 1}') from None
    for zone, factor in factors.items():
        if not factor.is_finite() or factor < 0:
            raise ValueError(f"the factor of {zone} is {factor}; give 0 (excluded) or more")
    return factors


def _schedule(value: str) -> str:
    from shared.cron import EXAMPLE, fault_of  # only those who have a schedule wait for croniter

    if (fault := fault_of(value)) is not None:
        raise ValueError(f"{fault}; {EXAMPLE}")
    return value


def _parted(value: Any) -> Any:
    """The parts of a list that is separated by commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is no origin; give one such as https://capacity.example.com, without a path")
    return origins


def _hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    bare = tuple(host.removeprefix("[").removesuffix("]") for host in hosts)
    for host in bare:
        if not _HOST_NAME.fullmatch(host) and not _is_address(host):
            raise ValueError(f"{host!r} is no name of a host; give names without a port, such as localhost")
    return bare


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Settings(BaseModel):
    """How EPIC is run. Everything has a default: without any variable all is embedded, under ``./.epic``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    transport: Annotated[Literal["embedded", "kafka"], BeforeValidator(str.lower)] = "embedded"
    """Where messages go: a log in the data folder, or Kafka."""
    kafka_bootstrap_servers: Annotated[str, AfterValidator(_servers)] | None = None
    """Kafka's addresses, such as `kafka:9092`; needed with `kafka`."""
    mongo_url: Annotated[str, AfterValidator(_mongo_url)] | None = None
    """MongoDB for documents; without it SQLite in the data folder."""
    mysql_url: Annotated[str, AfterValidator(_mysql_url)] | None = None
    """MySQL for HOTW, `mysql+aiomysql://user:password@host/hotw`; without it SQLite."""
    data_dir: Path = Path(".epic")
    """The data folder: SQLite stores, the log, mails."""
    http_host: str = "127.0.0.1"
    """The address to listen on."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """The port to listen on."""
    behind_gateway: bool = False
    """`1`: EPIC may listen on an address that other machines reach. Only for compose, whose gateway is on 127.0.0.1."""
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(_parted), AfterValidator(_hosts)] = LOOPBACK_NAMES
    """The names that EPIC is asked by, separated by commas, without ports; a request by another `Host` is refused."""
    now: Annotated[str, AfterValidator(_now)] | None = None
    """The instant EPIC's clock starts from, or `instant@real-time` for several processes."""
    mail_domain: str | None = None
    """Makes an alias without `@` an address."""
    smtp_url: Annotated[str, AfterValidator(_smtp_url)] | None = None
    """`smtp://user:password@host:25` or `smtps://…`; without it mails are files in `mail/`."""
    mail_from: str = "epic@localhost"
    """The sender of mails."""
    tpm_mail_seconds: Annotated[float, Field(ge=0, le=86_400)] = 600
    """How long a mail with a service's TPM waits for the service's other fleets, in seconds (6.4.45)."""
    az_factor_map: Annotated[dict[str, Decimal], BeforeValidator(_factors)] = Field(default_factory=dict)
    """JSON, zone to factor: `{"us-east-1a": 2}`. 1 unless given, 0 excludes a zone."""
    hotw_schedule: Annotated[str, AfterValidator(_schedule)] | None = None
    """When HOTW runs the events by itself: a cron expression in UTC, such as `0 6 * * *`; never without one."""
    hotw_provider: Annotated[Literal["ledger", "aws"], BeforeValidator(str.lower)] = "ledger"
    """Whom overrides are asked of: people alone (`ledger`), or AWS Auto Scaling (`aws`; needs requirements/aws.txt)."""
    hotw_repair_drift: bool = False
    """`1`: a group that has another capacity than was asked for is asked again."""
    rehearsal_send: bool = False
    """`1`: with `EPIC_NOW`, providers are called nevertheless."""
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_parted), AfterValidator(_origins)] = ()
    """Origins whose pages may call EPIC and write, separated by commas, such as `https://capacity.example.com`."""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)] = "info"
    """The least to log."""
    log_format: Annotated[Literal["json", "text"], BeforeValidator(str.lower)] = "json"
    """One JSON object a line, or text."""

    @model_validator(mode="after")
    def _kafka_has_servers(self) -> Settings:
        if self.transport == "kafka" and not self.kafka_bootstrap_servers:
            raise ValueError("transport is kafka, so set EPIC_KAFKA_BOOTSTRAP_SERVERS, such as kafka:9092")
        return self
