"""What can happen to a file's bytes."""

import random


def damaged(whole: bytes, rng: random.Random) -> bytes:
    """Return a file's bytes with damage of some kind, and not the same."""
    while True:
        data = bytearray(whole)
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            _damage(data, rng)
        if data != whole:
            return bytes(data)


def _damage(data: bytearray, rng: random.Random) -> None:
    if not data:
        data += rng.randbytes(rng.randint(1, 100))
        return
    # As often near the beginning, where the numbers and names are, as anywhere.
    place = rng.randrange(min(len(data), rng.choice([64, 512, len(data)])))
    size = rng.choice([1, 4, 8, 16, 64, 512, 4_096])
    match rng.randrange(9):
        case 0 | 1 | 2:
            data[place] ^= 1 << rng.randrange(8)
        case 3:
            data[place] = rng.randrange(256)
        case 4:
            data[place : place + size] = bytes(len(data[place : place + size]))
        case 5:
            data[place : place + size] = rng.randbytes(len(data[place : place + size]))
        case 6:
            del data[place : place + rng.choice([size, len(data)])]
        case 7:
            data[place:place] = rng.randbytes(size)
        case 8:  # two pieces in each other's place
            other = rng.randrange(len(data))
            first, second = data[place : place + size], data[other : other + size]
            if len(first) == len(second) and abs(place - other) >= len(first):
                data[place : place + size], data[other : other + size] = second, first
