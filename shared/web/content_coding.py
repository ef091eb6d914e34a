"""The content coding of a request's body: gzip, or none."""

from __future__ import annotations

import zlib
from typing import Final

from shared.errors import BadInput, TooLarge

CODINGS: Final = (b"gzip", b"x-gzip")
"""One coding under two names (RFC 9110, section 8.4.1.3)."""
_GZIP: Final = 31  # zlib's name of the format with header and check sum


def decompressed(body: bytes, limit: int) -> bytes:
    """The body that was compressed. TooLarge as soon as it has more than ``limit`` bytes, so that a small body that
    holds a large one costs no more than any; BadInput for what is not exactly one whole gzip member.
    """
    inflater = zlib.decompressobj(_GZIP)
    try:
        found = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise _not_gzip("is no gzip, or was damaged on the way") from None
    if len(found) > limit:
        raise TooLarge(f"the body is over {limit} bytes once it is decompressed; send less, or several requests")
    if not inflater.eof:
        raise _not_gzip("ends before its gzip member does")
    if inflater.unused_data:
        raise _not_gzip("goes on behind its gzip member")
    return found


def _not_gzip(fault: str) -> BadInput:
    return BadInput(f"the body {fault}; compress it as one member, or send it as it is", slug="bad-gzip")
