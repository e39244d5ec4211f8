"""The events that the program's source logs: names, levels and fields."""

import re
from dataclasses import dataclass, field

from .gateway import TOP

CALL = re.compile(r"\blog_(error|warning|info|debug|asked)\(")
# The first argument may choose between two names.
FIELD = re.compile(r"\bf_(?:text|uint|int|ms|bool)\(([^,]*),")
# Functions that give a field.
GIVEN = {"quota_field(": ["quota_percent"], "f_err(": ["error", "detail"]}


@dataclass
class Event:
    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def call_text(text: str, start: int) -> str:
    """What stands between the parentheses, the first of which is before start."""
    depth, quoted = 1, False
    for i in range(start, len(text)):
        if text[i] == '"' and text[i - 1] != "\\":
            quoted = not quoted
        elif not quoted and text[i] in "()":
            depth += 1 if text[i] == "(" else -1
            if depth == 0:
                return text[start:i]
    raise AssertionError("a call without an end")


def logged() -> dict[str, Event]:
    """By name."""
    events: dict[str, Event] = {}
    for top in ("proxy", "backends", "config"):
        for file in sorted((TOP / top).rglob("*.c")):
            text = file.read_text()
            for call in CALL.finditer(text):
                body = call_text(text, call.end())
                name = re.match(r'\s*"([^"]+)"', body)
                assert name, f"{file}: an event without a plain name: {body}"
                event = events.setdefault(name[1], Event())
                event.levels.add("info" if call[1] == "asked" else call[1])
                for key in FIELD.findall(body):
                    event.fields.update(re.findall(r'"([a-z_]+)"', key))
                for given, fields in GIVEN.items():
                    if given in body:
                        event.fields.update(fields)
    return events
