"""Writes costs.json, what fleet.py calculates with, from a run of the benchmark:

    tests/bench/run.sh --json login poll-tls retr retr-big-tls hold >rows.json
    tests/bench/costs.py rows.json

Milliseconds are of one core. "behind" is the IMAP server's share. What the benchmark does not measure
(the registry_… figures, of PostgreSQL) stays as it is.
"""

import json
import sys
from pathlib import Path

FILE = Path(__file__).with_name("costs.json")
GATEWAY = "popgate, IMAP"
RETR_MESSAGES = 1000
BIG_MIB = 20 * 22_000_000 / 2**20


def costs(rows: list[dict]) -> dict:
    results = {row["case"]: row["result"] for row in rows if row["server"] == GATEWAY}
    poll, big = results["poll-tls"], results["retr-big-tls"]
    return {
        "poll_ms": poll["cpu_ms"],
        "poll_behind_ms": poll["behind_cpu_ms"],
        # Both cases pay the login, too; small messages show what each costs, big ones their octets.
        "message_ms": (results["retr"]["cpu_ms"] - results["login"]["cpu_ms"]) / RETR_MESSAGES,
        "mebibyte_ms": (big["cpu_ms"] - poll["cpu_ms"]) / BIG_MIB,
        "mebibyte_behind_ms": (big["behind_cpu_ms"] - poll["behind_cpu_ms"]) / BIG_MIB,
        "session_kib": results["hold"]["each_kib"],
    }


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows = json.loads(Path(sys.argv[1]).read_text())
    measured = {name: float(f"{value:.3g}") for name, value in costs(rows).items()}
    FILE.write_text(json.dumps(json.loads(FILE.read_text()) | measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
