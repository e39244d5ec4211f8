"""Runs the same load against the gateway and its peers, side by side, and prints one table.

Started by run.sh. CPU is what the server's whole process tree spent per session; it is steadier than
time on a shared machine. For a gateway the IMAP server's own share is shown apart.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from cases import CASES, run

DETAILS = (("behind_cpu_ms", "+ {:.2f} ms behind"), ("per_second", "{:.0f}/s"), ("p99_ms", "p99 {:.1f} ms"),
           ("first_ms", "first {:.0f} ms"), ("login_p50_ms", "login meanwhile {:.1f} ms"),
           ("login_p99_ms", "p99 {:.1f} ms"), ("alone_ms", "alone {:.2f} ms"),
           ("beside_ms", "beside it {:.2f} ms"))  # fmt: skip


def details(result: dict) -> str:
    return ", ".join(text.format(result[key]) for key, text in DETAILS if result.get(key))


def table(rows: list[dict]) -> None:
    print("| work | server | figure | against the first | aim | besides |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        first = next(r for r in rows if r["case"] == row["case"])["figure"]
        ratio = f'{row["figure"] / first:.2f}' if first else "–"
        own = row["server"].startswith("popgate") and row["aim"]
        aim = f'{row["aim"]:g}{"" if row["figure"] <= row["aim"] else " ✗"}' if own else ""
        print(f'| {row["text"]} | {row["server"]} | {row["figure"]:.3g} {row["unit"]} | {ratio} | '
              f'{aim} | {details(row["result"])} |')


def main() -> None:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=names, metavar="CASE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the folder with the servers' logs")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(names):
        parser.error(f'no such case: {", ".join(unknown)}; there are {" ".join(names)}')
    directory = Path(tempfile.mkdtemp(prefix="popgate-bench-"))
    directory.chmod(0o711)
    try:
        rows = run(options.cases, directory)
    finally:
        if options.keep:
            print(directory, file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        table(rows)


if __name__ == "__main__":
    main()
