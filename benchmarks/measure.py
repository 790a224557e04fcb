# SPDX-License-Identifier: Apache-2.0
"""Measures one row in a process of its own and saves it: what `run` starts for each row.

So each row begins with the same memory and the same state of TensorFlow, and cannot end the others.
"""

import json
import os
import sys
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.framework import Settings, measure
from benchmarks.rows import ROWS


def main() -> None:
    name, file, settings = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    settings = Settings(**{**settings, "scratch": Path(settings["scratch"])})
    busy, start = machine.busy_cores(), time.monotonic()
    facts = measure(ROWS[name], settings)
    facts["machine"] = machine.describe()
    facts["busy_cores_before"] = busy
    facts["seconds"] = round(time.monotonic() - start, 1)
    facts["date"] = time.strftime("%Y-%m-%d")
    part = file.with_suffix(".part")
    part.write_text(json.dumps(facts, indent=1, ensure_ascii=False))
    os.replace(part, file)


if __name__ == "__main__":
    main()
