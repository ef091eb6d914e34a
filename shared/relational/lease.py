"""Owns leases: one holder at a time of a named piece of work, measured by the database's clock."""

from __future__ import annotations

from sqlalchemy import Table, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.relational.types import database_now

__all__ = ["release_lease", "take_lease"]


async def take_lease(connection: AsyncConnection, leases: Table, name: str, holder: str, seconds: float) -> bool:
    """Takes or renews the lease; False while another holds it. A crashed holder's runs out after ``seconds``."""
    taken = await connection.execute(
        update(leases)
        .where(
            leases.c.Name == name,
            or_(leases.c.Holder == holder, leases.c.Until.is_(None), leases.c.Until < database_now()),
        )
        .values(Holder=holder, Until=database_now(seconds))
    )
    if taken.rowcount:
        return True
    if (await connection.execute(select(leases.c.Name).where(leases.c.Name == name))).first() is not None:
        return False
    await connection.execute(insert(leases).values(Name=name, Holder=holder, Until=database_now(seconds)))
    return True


async def release_lease(connection: AsyncConnection, leases: Table, name: str, holder: str) -> None:
    """Gives the lease back, so that another need not wait for its end."""
    await connection.execute(
        update(leases).where(leases.c.Name == name, leases.c.Holder == holder).values(Holder=None, Until=None)
    )
