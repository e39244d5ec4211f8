"""docs/conformance.md as rows, and a record of what ran, to hold the two together."""

import ast
import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from .gateway import TOP
from .transcript import FOLDER

PAGE = TOP / "docs/conformance.md"
E2E = TOP / "tests/e2e"
ID = re.compile(r"\b[XO]-(?:\d+(?:\.\d+)+|[CVE]\d{4})\b")
REFERENCE = re.compile(r"`([^`]+)`")


@dataclass
class Row:
    line: int
    key: str  # an id, or the section of an RFC
    cells: list[str]
    proof: list[str]  # what the last column names

    @property
    def is_statement(self) -> bool:
        return bool(ID.fullmatch(self.key))


def rows() -> list[Row]:
    """Every row of the tables whose last column says what proves it."""
    found, inside = [], False
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[-1] == "proven by":
            inside = True
        elif inside and not cells[0].startswith("---"):
            found.append(Row(number, cells[0], cells, REFERENCE.findall(cells[-1])))
    return found


def statements() -> dict[str, Row]:
    return {row.key: row for row in rows() if row.is_statement}


def transcript_ids(file: Path) -> set[str]:
    """The ids that a transcript says it shows."""
    return set(ID.findall(file.read_text().partition("\n")[0]))


# Whether what is named exists


@functools.cache
def functions(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text()).body
            if isinstance(node, ast.FunctionDef)}


def missing(reference: str) -> str:
    """Why that test does not exist; "" when it does."""
    file, _, name = reference.partition("::")
    if file.endswith(".txt"):
        return "" if (FOLDER / file).is_file() else "no such transcript"
    path = (TOP / "tests" if file.startswith("unit/") else E2E) / file
    if not path.is_file():
        return "no such file"
    if path.suffix == ".py":
        return "" if name in functions(path) else "no such test in it"
    # Defined, and registered by that name, in a program that ctest runs.
    if len(re.findall(rf"\b{re.escape(name)}\b", path.read_text())) < 2:
        return "no such test in it"
    registered = (path.parent / "CMakeLists.txt").read_text()
    return "" if re.search(rf"\b{path.stem}\b", registered) else "ctest does not run it"


# What ran


def passed_units(log: Path) -> set[str]:
    """file::test of each cmocka test that a log of ctest shows as passed."""
    passed, program = set(), ""
    for line in log.read_text(errors="replace").splitlines():
        if found := re.match(r"\d+/\d+ Test: unit/(\w+)", line):
            program = found[1]
        elif found := re.match(r"\[ +OK \] (\w+)", line):
            passed.add(f"{program}.c::{found[1]}")
    return passed


class Record:
    """A plugin: after a full run, everything that the page names must have passed in it."""

    def __init__(self, config: pytest.Config):
        self.config = config
        self.outcomes: dict[str, set[str]] = {}
        self.problems: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        node, _, parameters = report.nodeid.partition("[")
        name = "::".join([Path(node.partition("::")[0]).name, node.rpartition("::")[2]])
        if name == "test_transcripts.py::test_transcript":
            name = re.sub("-imap$", "", parameters.rstrip("]")) + ".txt"
        self.outcomes.setdefault(name, set()).add(report.outcome)

    def is_full(self) -> bool:
        option = self.config.option
        chosen = option.keyword or option.markexpr or getattr(option, "deselect", None)
        return not chosen and {Path(arg).resolve() for arg in self.config.args} == {E2E}

    def unproven(self) -> list[str]:
        log = os.environ.get("POPGATE_UNIT_LOG")
        units = passed_units(Path(log)) if log else None
        named = {reference for row in rows() for reference in row.proof}
        return sorted(
            reference for reference in named
            if (units is not None and Path(reference).name not in units
                if reference.startswith("unit/")
                else self.outcomes.get(reference) != {"passed"}))  # fmt: skip

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus in (0, 1) and self.is_full() and not session.shouldstop:
            self.problems = self.unproven()
            if self.problems:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter) -> None:
        if self.problems:
            terminalreporter.section("docs/conformance.md: named there, and not passed in this run")
            for problem in self.problems:
                terminalreporter.line(problem)
