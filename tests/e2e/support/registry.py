"""The SQLite registry, written by somebody else than popgate."""

import contextlib
import mmap
import sqlite3
from array import array


@contextlib.contextmanager
def written(state: str):
    """A connection to the database of "sqlite:PATH"; afterwards popgate takes note of what was done, as
    of what its own processes do: by the board beside the database, whose counters all move."""
    path = state.removeprefix("sqlite:")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        yield connection
    with open(f"{path}-board", "r+b") as file, mmap.mmap(file.fileno(), 0) as board:
        counters = array("I", board[:])
        board[:] = array("I", (counter + 1 for counter in counters)).tobytes()
