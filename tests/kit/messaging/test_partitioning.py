"""Where a key goes."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.transport import partition_of


@given(st.binary(max_size=40), st.integers(1, 24))
def test_a_key_goes_where_kafkas_clients_put_it(key: bytes, count: int) -> None:
    assert partition_of(key, range(count), ()) == DefaultPartitioner()(key, range(count), ())


def test_what_has_no_key_goes_where_there_is_somebody() -> None:
    assert partition_of(None, range(12), [7]) == 7
    assert partition_of(None, [3], []) == 3
