"""Runs the same load against the gateway and its peers, side by side, and prints tables.

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
           ("beside_ms", "beside it {:.2f} ms"),
           ("elsewhere_ms", "beside it elsewhere {:.2f} ms"))  # fmt: skip


def details(result: dict) -> str:
    return ", ".join(text.format(result[key]) for key, text in DETAILS if result.get(key))


COLUMNS = ("Dovecot, Maildir", "Dovecot over imapc", "nginx, relaying", "the floor",
           "popgate, Maildir", "popgate, IMAP")  # fmt: skip


def number(figure: float) -> str:
    return f"{figure:.3g}" if abs(figure) < 1000 else f"{figure:.0f}"


def verdict(row: dict, first: float) -> str:
    """✗: the aim was missed, and not only since this machine is slower than that where it was set."""
    if not row["server"].startswith("popgate") or not row["aim"] or row["figure"] <= row["aim"]:
        return ""
    slower = row["peer"] and first and row["figure"] / first <= row["aim"] / row["peer"]
    return " (✗)" if slower else " ✗"


def cell(row: dict | None, first: float) -> str:
    """The figure, and what part of the first server's it is."""
    if not row:
        return ""
    ratio = f' ({row["figure"] / first:.2g})' if first and row["figure"] != first else ""
    return f'{number(row["figure"])}{ratio}{verdict(row, first)}'


def aims(rows: dict) -> str:
    """Those of the gateway, in the form of its figures."""
    texts = dict.fromkeys(
        f'{row["aim"]:g}' + (f' ({row["aim"] / row["peer"]:.2g})' if row["peer"] else "")
        for server, row in rows.items() if server.startswith("popgate") and row["aim"])
    return ", ".join(texts)


def side_by_side(rows: list[dict]) -> None:
    print(f'| work | unit | {" | ".join(COLUMNS)} | aim |')
    print("| --- | --- |" + " --- |" * (len(COLUMNS) + 1))
    for name in dict.fromkeys(row["case"] for row in rows):
        of = {row["server"]: row for row in rows if row["case"] == name}
        row = next(iter(of.values()))
        print(f'| {row["text"]} | {row["unit"]} | '
              f'{" | ".join(cell(of.get(column), row["figure"]) for column in COLUMNS)} | '
              f'{aims(of)} |')


def one_by_one(rows: list[dict]) -> None:
    print("| work | server | figure | aim | besides |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        aim = f'{row["aim"]:g}' if row["aim"] else ""
        print(f'| {row["text"]} | {row["server"]} | {cell(row, 0)} {row["unit"]} | {aim} | '
              f'{details(row["result"])} |')


def table(rows: list[dict]) -> None:
    beside = [row for row in rows if row["server"] in COLUMNS]
    if beside:
        side_by_side(beside)
    alone = [row for row in rows if row["server"] not in COLUMNS]
    if alone:
        print()
        one_by_one(alone)


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
