"""A reproducible stream of bytes that tell their place: the same as peer_stream in test/peers/peer.h.

Block i has 4099 bytes: i as 8 bytes, least first, then 4091 bytes of a table of 65536, which splitmix64 makes of the
seed, from (i * 977) % 61441 on. Making 100 MB takes well under a second, and nothing holds them at once.
"""

import functools
import hashlib

_MASK = (1 << 64) - 1
_TABLE, _BLOCK, _STARTS = 65536, 4099, 61441


@functools.lru_cache(maxsize=64)
def _table(seed):
    words, state = [], seed
    for _ in range(_TABLE // 8):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        words.append((z ^ (z >> 31)).to_bytes(8, "little"))
    return b"".join(words)


def chunks(total, seed=1, size=4099 * 64):
    """The first `total` bytes of the stream, in pieces."""
    table, block, left = _table(seed), 0, total
    while left > 0:
        parts = []
        for _ in range(max(1, min(size, left + _BLOCK - 1) // _BLOCK)):
            start = block * 977 % _STARTS
            parts.append(block.to_bytes(8, "little"))
            parts.append(table[start:start + _BLOCK - 8])
            block += 1
        piece = b"".join(parts)[:left]
        left -= len(piece)
        yield piece


def data(total, seed=1):
    return b"".join(chunks(total, seed))


@functools.lru_cache(maxsize=256)
def sha256(total, seed=1):
    hash_ = hashlib.sha256()
    for piece in chunks(total, seed):
        hash_.update(piece)
    return hash_.hexdigest()
