# SPDX-License-Identifier: Apache-2.0
"""Measures rows of the benchmarks one after the other and writes their table: what benchmarks/run.sh starts."""

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import machine, table
from benchmarks.framework import FAILED, Settings
from benchmarks.rows import DEFAULT_ROWS, GPU_ROWS, ROWS


def parser() -> argparse.ArgumentParser:
    """The options that benchmarks/run.sh explains."""
    result = argparse.ArgumentParser(prog="benchmarks/run.sh", add_help=False)
    result.add_argument("--list", action="store_true")
    result.add_argument("--only", nargs="+", metavar="ROW")
    result.add_argument("--gpu", action="store_true")
    result.add_argument("--python-tf114", metavar="PYTHON")
    result.add_argument("--python-torch", metavar="PYTHON")
    result.add_argument("--repeats", type=int, default=5, metavar="N")
    result.add_argument("--seconds", type=float, default=3, metavar="S")
    default = Path("results", "benchmarks")
    result.add_argument("--output", type=Path, default=default, metavar="DIR")
    return result


def main() -> int:
    options = parser().parse_args()
    if options.gpu and not machine.tensorflow_has_a_gpu():
        print("TensorFlow finds no GPU here, so that nothing is measured on one.")
        return 0
    options.only = options.only or (GPU_ROWS if options.gpu else DEFAULT_ROWS)
    unknown = [name for name in options.only if name not in ROWS]
    if unknown:
        parser().error(f"there is no row {unknown[0]!r}; the rows are {', '.join(ROWS)}")
    if options.repeats < 1 or options.seconds <= 0:
        parser().error("--repeats must be at least 1, --seconds more than 0")
    if options.list:
        for row in ROWS.values():
            print(f"{row.name}: {row.title}\n    {'; '.join(s.name for s in row.series)}")
        return 0
    output = options.output.absolute()
    settings = Settings(
        output / "scratch",
        options.python_tf114,
        options.repeats,
        options.seconds,
        options.python_torch,
    )
    settings.scratch.mkdir(parents=True, exist_ok=True)
    failed = []
    try:
        for name in options.only:
            if not _measure(name, output, settings):
                failed.append(name)
            table.write(output)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on with the next row.", file=sys.stderr)
        return 130
    print(f"Table: {table.write(output)}")
    for name in failed:
        print(f"{name} could not be measured: see above", file=sys.stderr)
    return 1 if failed else 0


def _measure(name: str, output: Path, settings: Settings) -> bool:
    """Measures a row unless it is there; false if it failed."""
    file, key_file = output / f"{name}.json", output / f"{name}.key"
    wanted = {**dataclasses.asdict(settings), "scratch": str(settings.scratch)}
    key = json.dumps({**wanted, "commit": machine.commit()})
    if file.exists() and key_file.exists() and key_file.read_text() == key:
        print(f"{name}: measured before", file=sys.stderr)
        return True
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.measure", name, str(file), json.dumps(wanted)]
    done = subprocess.run(command, check=False)
    if done.returncode == 0 and not _has_failures(file):
        key_file.write_text(key)
    return done.returncode == 0


def _has_failures(file: Path) -> bool:
    """Whether something in the row failed: it is tried again, unlike what cannot be measured here."""
    reasons = (series["not_measured"] for series in json.loads(file.read_text())["series"])
    return any(reason and reason.startswith(FAILED) for reason in reasons)


if __name__ == "__main__":
    sys.exit(main())
