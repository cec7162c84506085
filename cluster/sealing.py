"""Seals a call's state so that only its caller's token opens it: whoever reads the store reads nothing of a person."""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cluster.call_state import StateError

NONCE_BYTES: Final = 12


def seal(plain: bytes, key: bytes) -> bytes:
    """Encrypt (AES-256-GCM).

    Args:
        plain: What nobody else may read.
        key: 32 bytes; see :class:`~transports.takeover.CallerId`.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, None)


def unseal(sealed: bytes, key: bytes) -> bytes:
    """Decrypt.

    Raises:
        StateError: It is not what was sealed with this key.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        raise StateError("the call's state was not sealed with this caller's key") from None
