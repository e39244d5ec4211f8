"""docs/conformance.md is complete and true; that what it names passed is checked after a full run."""

import pytest

from support import conformance
from support.transcript import FOLDER

IDS = (conformance.E2E / "conformance_ids.txt").read_text().split()
ROWS = conformance.rows()

# The ports, and what an operator sees of quotas.
NOT_IN_A_TRANSCRIPT = {"X-E0001", "X-E0003"}


def test_every_statement_has_one_row():
    assert len(IDS) == len(set(IDS)) == 90
    assert sorted(row.key for row in ROWS if row.is_statement) == sorted(IDS)


@pytest.mark.parametrize("rfc", ["1939", "2449", "2595", "3206", "5034", "6856", "7628"])
def test_every_rfc_has_a_table(rfc):
    heading = f"\n## RFC {rfc}"
    text = conformance.PAGE.read_text()
    assert heading in text
    assert "| proven by |" in text.partition(heading)[2].partition("\n## ")[0]


def test_every_row_is_whole():
    for row in ROWS:
        assert len(row.cells) == 5, f"line {row.line}: {len(row.cells)} cells"
        assert all(row.cells), f"line {row.line}: an empty cell"
        assert row.proof, f"line {row.line}: names no test"


def test_every_test_that_is_named_exists():
    faults = {f"line {row.line}: {reference}: {why}"
              for row in ROWS for reference in row.proof if (why := conformance.missing(reference))}
    assert not faults, "\n".join(sorted(faults))


def test_every_setting_that_is_named_exists():
    """By the last part of its path, as the example configuration has it."""
    example = (conformance.TOP / "config/popgate.example.yaml").read_text()
    for row in ROWS:
        for key in conformance.REFERENCE.findall(row.cells[3]):
            for part in key.replace(": ", ".").split("."):
                assert f"{part}:" in example, f"line {row.line}: {key}"


def test_every_statement_on_the_wire_has_a_transcript():
    bare = {key for key, row in conformance.statements().items()
            if not any(reference.endswith(".txt") for reference in row.proof)}
    assert bare <= NOT_IN_A_TRANSCRIPT, sorted(bare - NOT_IN_A_TRANSCRIPT)


def test_transcripts_and_rows_name_each_other():
    statements = conformance.statements()
    for file in FOLDER.glob("*.txt"):
        ids = conformance.transcript_ids(file)
        assert set(conformance.ID.findall(file.stem.replace("_", " "))) <= ids, file.name
        for key in ids:
            assert key in statements, f"{file.name}: {key}"
            assert file.name in statements[key].proof, f"{file.name} is not in the row of {key}"
