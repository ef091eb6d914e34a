"""Columns of a table by their role, those of one type in one call."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Integer
from sqlalchemy.types import TypeEngine

ColumnType = TypeEngine[Any] | type[TypeEngine[Any]]


def serial(name: str) -> Column[int]:
    """The primary key of a table whose rows the database numbers."""
    return Column(name, Integer, primary_key=True, autoincrement=True)


def key(of: ColumnType, *names: str) -> list[Column[Any]]:
    """Columns of the primary key."""
    return [Column(name, of, primary_key=True, autoincrement=False) for name in names]


def required(of: ColumnType, *names: str) -> list[Column[Any]]:
    return [Column(name, of, nullable=False) for name in names]


def optional(of: ColumnType, *names: str) -> list[Column[Any]]:
    return [Column(name, of, nullable=True) for name in names]
