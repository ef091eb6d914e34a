"""What every wire contract is made of: names, ids, numbers, times, versions and requests."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final
from unicodedata import is_normalized

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.clock import iso, parse_instant
from shared.schemas.numbers import WholeNumber

RULE: Final = "rule"
BODY_LIMIT: Final = 1_048_576
"""The most bytes of a request's body, by HTTP and by command (rule 4.11e): what it asks for fits into any message."""
MAX_COUNT = 2_147_483_647
# Days far enough from what a date or a column can hold for EPIC to reckon on from them.
FIRST_DAY, LAST_DAY = date(1971, 1, 1), date(9000, 12, 31)
_YEARS: Final = "(197[1-9]|19[89][0-9]|[2-8][0-9]{3}|9000)-"
MAX_DECIMAL: Final = MAX_COUNT
"""Up to here every decimal of six places has a float of its own (one every 2^-22), so any reader of a JSON number gets
the decimal that was meant."""
MAX_PLACES: Final = 6
_LONGEST_LINK: Final = 2048  # every browser takes an address of this length
_SCHEMES: Final = ("https://", "http://")
_LINK: Final = r"^https?://[!-~]+$"
MAX_PAGE: Final = 1000
"""The most items of a page of a list."""
# Words of the API's own paths (rule 2.11c): an id may stand where one of them stands.
RESERVED_IDS = frozenset(
    {"event", "latest", "versions", "inventory", "dashboard", "status", "history", "run", "order", "review"}
)
ID_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
_ID = re.compile(ID_PATTERN)
_DECIMAL_DIGITS = re.compile(r"[0-9]+(\.[0-9]+)?")
_END = r"[^\x00-\x1f\x7f\s\x85\ufeff]"  # dialects differ in whether the last two are spaces
_NAME = rf"^{_END}([^\x00-\x1f\x7f]*{_END})?$"
_KEY_END = r'[^\x00-\x1f\x7f\s\x85\ufeff/\\?#%"]'
KEY_NAME_PATTERN: Final = rf'^{_KEY_END}([^\x00-\x1f\x7f/\\?#%"]{{0,126}}{_KEY_END})?$'
_KEY_NAME = re.compile(KEY_NAME_PATTERN)
NAME_RULE = "1 to 255 printable characters, with no space at either end"
# Words that the wire writes in capitals; a member that differs (``AsgTag``) names its alias itself.
_ACRONYMS = frozenset({"arn", "asg", "bau", "ct", "eap", "eta", "spco", "tpm"})


def wire_name(attribute: str) -> str:
    """``peak_start_date`` is ``PeakStartDate`` on the wire, ``input_tpm`` is ``InputTPM``."""
    return "".join(part.upper() if part in _ACRONYMS else part.capitalize() for part in attribute.split("_"))


def check_id(value: str) -> str:
    """An id: 1–128 letters, digits, ``. _ -``, beginning with a letter or digit, and none of the API's own words."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError("an id is 1 to 128 letters, digits, '.', '_' or '-', and begins with a letter or digit")
    if value in RESERVED_IDS:
        raise ValueError(f"{value!r} is a word of the API itself; choose another id")
    return value


def check_key_name(value: str) -> str:
    """A name in a key and in a path (2.13): 1-128 characters in Unicode's form C, that stand in a path as they are."""
    if len(value) > 128 or not _KEY_NAME.fullmatch(value) or value in (".", ".."):
        raise ValueError('give 1 to 128 characters without / \\ ? # % ", and with no space at either end')
    if not is_normalized("NFC", value):
        raise ValueError("give it in Unicode's normal form C")
    if value in RESERVED_IDS:
        raise ValueError(f"{value!r} is a word of the API itself; choose another name")
    return value


def broken_rule(member: str | tuple[str, ...], detail: str) -> PydanticCustomError:
    """The error of a rule about several members of an object. It points to ``member``, one of them or deeper in one."""
    at = (member,) if isinstance(member, str) else member
    return PydanticCustomError(RULE, "{detail}", {"at": at, "detail": detail})


def is_name(value: str) -> bool:
    """Whether it can be a ``Name``; ``NAME_RULE`` says what can."""
    return len(value) <= 255 and re.fullmatch(_NAME, value) is not None


def _check_link(value: str) -> str:
    """An address that a page may show as a link: of no scheme that a browser would execute."""
    is_plain = value.isascii() and value.isprintable() and " " not in value
    if (
        not is_plain
        or len(value) > _LONGEST_LINK
        or not any(len(value) > len(s) and value.startswith(s) for s in _SCHEMES)
    ):
        raise ValueError(
            f"give an address of at most {_LONGEST_LINK} ASCII characters without spaces, such as https://pmet.example/graph"
        )
    return value


def _digits_of_text(value: Any) -> Any:
    """A decimal as a text is digits, perhaps with a point: no sign, space or exponent, as the JSON Schema says."""
    if isinstance(value, str) and not _DECIMAL_DIGITS.fullmatch(value):
        raise ValueError("give a number, such as 1.5")
    return value


def _at_most_six_places(value: Decimal) -> Decimal:
    """Rule 2.15a. By the digits themselves: the arithmetic of decimals rounds what has more than 28."""
    _, digits, exponent = value.as_tuple()
    if isinstance(exponent, int) and exponent < -MAX_PLACES and any(digits[MAX_PLACES + exponent :]):
        raise ValueError(f"give at most {MAX_PLACES} decimal places")
    return value


def _number(value: Decimal) -> int | float:
    """The JSON number of a decimal, whole where it is whole. Exact, see ``MAX_DECIMAL``."""
    return int(value) if value == value.to_integral_value() else float(value)


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("the time has no zone; add Z")
        moment = value.astimezone(UTC)
    elif isinstance(value, str):
        moment = parse_instant(value)
    else:
        raise ValueError("give a time such as 2024-06-15T09:00:00Z")
    _date(moment.date())
    return moment


def _date(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        day = value
    elif isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"there is no day {value}; give one such as 2024-07-16") from None
    else:
        raise ValueError("give a day such as 2024-07-16")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"give a day from {FIRST_DAY} to {LAST_DAY}")
    return day


def _day_or_instant(value: Any) -> Any:
    if not isinstance(value, date | str):
        raise ValueError("give a day such as 2024-07-16, or a time such as 2024-07-16T09:00:00Z")
    is_instant = len(value) > _DAY_LENGTH if isinstance(value, str) else isinstance(value, datetime)
    return _instant(value) if is_instant else _date(value)


def _day_or_instant_form(value: date) -> str:
    return iso(value) if isinstance(value, datetime) else value.isoformat()


Id = Annotated[str, AfterValidator(check_id), WithJsonSchema({"type": "string", "pattern": ID_PATTERN})]
Name = Annotated[str, Field(max_length=255, pattern=_NAME)]
KeyName = Annotated[
    str,
    AfterValidator(check_key_name),
    WithJsonSchema({"type": "string", "maxLength": 128, "pattern": KEY_NAME_PATTERN}),
]
JoinedKey = Annotated[str, Field(max_length=512, pattern=_NAME)]
"""The key of a resource that has several ids, such as FleetId#EventId#Peak."""
Link = Annotated[
    str,
    AfterValidator(_check_link),
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": _LONGEST_LINK, "pattern": _LINK}),
]
Text = Annotated[str, Field(max_length=16_384)]
Count = Annotated[int, WholeNumber(0, MAX_COUNT)]
PositiveCount = Annotated[int, WholeNumber(1, MAX_COUNT)]
PageSize = Annotated[int, WholeNumber(1, MAX_PAGE)]
Flag = Annotated[bool, Strict()]
_DAY_LENGTH: Final = 10
_DAY: Final = {"type": "string", "format": "date", "pattern": f"^{_YEARS}"}
_TIME: Final = {"type": "string", "format": "date-time", "pattern": f"^{_YEARS}"}
_DAY_OR_TIME: Final = {
    "type": "string",
    "pattern": f"^{_YEARS}",
    "anyOf": [{"format": "date"}, {"format": "date-time"}],
}
_DECIMAL: Final = {"type": "number", "minimum": 0, "maximum": MAX_DECIMAL}
_DECIMAL_TEXT: Final = {"type": "string", "pattern": f"^[0-9]{{1,9}}(\\.[0-9]{{1,{MAX_PLACES}}})?$"}
DecimalNumber = Annotated[
    Decimal,
    Field(ge=0, le=MAX_DECIMAL),
    AfterValidator(_at_most_six_places),
    BeforeValidator(_digits_of_text),
    PlainSerializer(_number, when_used="json"),
    WithJsonSchema(_DECIMAL, mode="serialization"),
    WithJsonSchema({"anyOf": [{**_DECIMAL, "multipleOf": 10**-MAX_PLACES}, _DECIMAL_TEXT]}, mode="validation"),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(iso, when_used="json"),
    WithJsonSchema(_TIME),
]
WireDate = Annotated[date, BeforeValidator(_date), WithJsonSchema(_DAY)]
DayOrInstant = Annotated[
    date,
    PlainValidator(_day_or_instant),
    PlainSerializer(_day_or_instant_form, when_used="json"),
    WithJsonSchema(_DAY_OR_TIME),
]
"""A UTC day, or an instant, which is a ``datetime``."""


class WireModel(BaseModel):
    """A contract: snake_case in Python, the reference's names on the wire; unknown fields are refused.

    Consumers of events pass ``extra="ignore"`` when they validate, so that a newer producer may say more.
    """

    model_config = ConfigDict(
        alias_generator=wire_name, populate_by_name=True, extra="forbid", frozen=True, allow_inf_nan=False
    )

    def wire(self) -> dict[str, Any]:
        """The JSON form: wire names, members that were not given left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class AuditMetadata(WireModel):
    """Why a version was made, by whom and when. Only EPIC sets the time, so a request is not described with it."""

    message: Text | None = None
    user: Name | None = None
    timestamp: Annotated[Instant | None, WithJsonSchema(None, mode="validation")] = None


class Snapshot(WireModel):
    """The members that every version of a resource has beside the resource's own."""

    version_id: PositiveCount
    latest_version_id: PositiveCount | None = None
    schema_version: PositiveCount = 1
    created_at: Instant | None = None
    created_by: str | None = None
    audit_metadata: AuditMetadata
    deleted: bool = False


def wire_names(*models: type[BaseModel]) -> frozenset[str]:
    """The names of the models' members on the wire."""
    return frozenset(field.alias or name for model in models for name, field in model.model_fields.items())


VERSION_MEMBERS: Final = wire_names(Snapshot) - {"AuditMetadata"}


def _without_timestamp(given: Any) -> Any:
    if isinstance(given, dict):
        return {name: value for name, value in given.items() if name not in ("Timestamp", "timestamp")}
    return given


class CommandBody(WireModel):
    """What a caller asks for, as an HTTP body or as a command.

    A document may be sent back as it was read: members that only EPIC sets (``ignored``) and the time of the last
    change are ignored, whatever they hold.
    """

    ignored: ClassVar[frozenset[str]] = VERSION_MEMBERS

    audit_metadata: Annotated[AuditMetadata, BeforeValidator(_without_timestamp)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _ignore_managed(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return {name: value for name, value in given.items() if name not in cls.ignored}
        return given


class ReasonedCommand(CommandBody):
    """A request that gives its reason, which the version that it makes keeps as AuditMetadata.Message."""

    reason: Text | None = None


class RestoreVersion(ReasonedCommand):
    """Makes a document what a former version of it is; 0 is the latest, as in a read."""

    version_id: Count
