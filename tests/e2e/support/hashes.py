"""Password hashes that the gateway had no part in making."""

import ctypes
import warnings


def crypt_of(setting: str, secret: str) -> str:
    """By crypt(3): setting chooses the method ($6$, $2b$, $y$) and holds the salt."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import crypt
    return crypt.crypt(secret, setting)


def argon2id_of(secret: str) -> str:
    """By libargon2, cheap parameters."""
    library = ctypes.CDLL("libargon2.so.1")
    encoded = ctypes.create_string_buffer(256)
    octets = secret.encode()
    passes, kibibytes, lanes, salt = 1, 64, 1, b"saltsaltsalt"
    status = library.argon2id_hash_encoded(
        passes, kibibytes, lanes, octets, len(octets), salt, len(salt), 32, encoded, 256)
    assert status == 0, status
    return encoded.value.decode()
