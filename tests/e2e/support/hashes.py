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
    encode = ctypes.CDLL("libargon2.so.1").argon2id_hash_encoded
    number, size, text = ctypes.c_uint32, ctypes.c_size_t, ctypes.c_char_p
    encode.argtypes = [number, number, number, text, size, text, size, size, text, size]
    encoded = ctypes.create_string_buffer(256)
    octets = secret.encode()
    passes, kibibytes, lanes, salt = 1, 64, 1, b"saltsaltsalt"
    status = encode(passes, kibibytes, lanes, octets, len(octets), salt, len(salt), 32,
                    encoded, len(encoded))
    assert status == 0, status
    return encoded.value.decode()
