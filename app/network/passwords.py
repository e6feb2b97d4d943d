"""Passwords: argon2id, with parameters that cost a guesser more than they cost us.

19 MiB, two passes, one lane (OWASP's second recommendation): about 25 ms here, where the library's default takes 256.
"""

from __future__ import annotations

from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 10, 200  # characters

# One at a time in a process: sixteen at once would take 300 MiB and finish no sooner on the cores there are.
_TURN = Lock()
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Of a random password nobody knows: verifying against it takes as long as against a real one.
NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$g7l+BozDCShti7tOdJod1w$BBxWItHSIeLxFFpZuc3xDXhIko/7KTpO2eCpRzIcfeM"


def hash_password(password: str) -> str:
    with _TURN:
        return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def verify(kept: str | None, password: str) -> bool:
    """Whether `password` is the one kept. Without one kept, False after the same time."""
    try:
        with _TURN:
            right = _HASHER.verify(kept or NOBODYS, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return right and kept is not None


def outdated(kept: str) -> bool:
    """Whether a password was hashed under other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)
