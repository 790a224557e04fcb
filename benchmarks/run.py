# SPDX-License-Identifier: Apache-2.0
"""Measures the rows in alternation and writes their table: what benchmarks/run.sh starts. Needs the standard library alone."""

import argparse
import contextlib
import functools
import json
import os
import platform
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import table
from benchmarks.rows import GPU, GROWTH, JAX, PLUGIN, PRODUCT, STUDY, TABLE, Row, Series

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benchmarks" / "peers"
_GPU_SECONDS = 230
_NO_TIME = "the time ran out"
# Options that do not change what a row measures.
_NOT_IN_KEY = "list", "only", "paste", "output"


class NotMeasured(Exception):
    """Something cannot be measured here; the message says why."""


def main() -> int:
    # benchmarks/run.sh explains the options.
    parser = argparse.ArgumentParser(prog="benchmarks/run.sh", add_help=False)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--paste", action="store_true")
    parser.add_argument("--python-tf114")
    parser.add_argument("--python-torch")
    parser.add_argument("--packages", nargs="+", default=[])
    parser.add_argument("--cuda", nargs="+", default=[])
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--output", type=Path, default=Path("results", "benchmarks"))
    options = parser.parse_args()
    known = {row.name: row for row in (GPU if options.gpu else (*TABLE, *GROWTH, STUDY))}
    if unknown := [name for name in options.only or () if name not in known]:
        parser.error(f"there is no row {unknown[0]!r}; the rows are {', '.join(known)}")
    if options.repeats is None:
        options.repeats = 3 if options.gpu else 5
    if options.seconds is None:
        options.seconds = 0.5 if options.gpu else 3
    if options.repeats < 1 or not options.seconds > 0:
        parser.error("--repeats must be at least 1, --seconds more than 0")
    if options.list:
        for row in known.values():
            print(f"{row.name}: {row.title} ({row.unit})")
        return 0
    output = options.output.absolute()
    if options.paste:
        table.paste(output, ROOT / "docs")
        return 0
    bench = Bench(options, output / "scratch")
    print(bench.device(), flush=True)
    if options.gpu:
        with bench.peer(Series(PLUGIN, "plugin", {"kind": "products"}), {}, "gpu") as peer:
            try:
                print(", ".join(f"{name} {found}" for name, found in peer.versions.items()))
            except NotMeasured as error:
                print(f"Nothing is measured on a GPU: {error}")
                return 0
    print(f"\n{table.HEADER}", flush=True)
    chosen = [known[name] for name in options.only or known]
    try:
        for row in chosen:
            print(table.line(measured(row, output, bench)), flush=True)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on with the next row.", file=sys.stderr)
        return 130
    print(f"\nTable: {table.write(output)}")
    return 0


def measured(row: Row, output: Path, bench: "Bench") -> dict:
    """The row's facts, measured now unless they were, at the same commit with the same options."""
    file = output / f"{row.name}.json"
    if file.exists():
        facts = json.loads(file.read_text())
        whole = all(series["not_measured"] != _NO_TIME for series in facts["series"])
        if whole and facts["key"] == bench.key:
            return facts
    facts = {
        **{name: getattr(row, name) for name in ("name", "title", "unit", "axis")},
        "key": bench.key,
        "device": bench.device(),
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit(),
        "series": bench.measure(row),
    }
    file.write_text(json.dumps(facts, indent=1, ensure_ascii=False))
    return facts


class Bench:
    """Peers, their environment and the time that is left; `scratch` is for data, models and logs."""

    def __init__(self, options: argparse.Namespace, scratch: Path):
        self._options, self._scratch = options, scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self._end = time.monotonic() + (_GPU_SECONDS if options.gpu else 1e9)
        self._environment = environment(options.packages, options.cuda)
        self._environment["DISENTANGLEMENT_LIB_DATA"] = str(scratch / "data")
        chosen = {name: value for name, value in vars(options).items() if name not in _NOT_IN_KEY}
        self.key = json.dumps([commit(), chosen])

    def device(self) -> str:
        """Processor, memory, GPU and driver."""
        query = "nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader"
        gpus = "; ".join(_lines(*query.split())) if self._options.gpu else ""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        device = gpus or ("no GPU found" if self._options.gpu else "no GPU")
        cores = len(os.sched_getaffinity(0))
        return f"{_processor()}, {cores} cores, {memory:.0f} GiB of memory, {device}; {platform.platform()}"

    def measure(self, row: Row) -> list[dict]:
        """Measures all series of a row in alternation; one that fails is left out, with the reason."""
        empty = {"values": [], "versions": {}, "not_measured": None}
        taken = [{"column": one.column, "label": one.label, **empty} for one in row.series]
        try:
            facts = self.facts(row.data_set)
        except NotMeasured as error:
            return [one | {"not_measured": str(error)} for one in taken]
        peers: dict[str, Peer] = {}  # one for all series with the same task
        started: list[tuple[Series, dict, Peer]] = []
        counts: dict[int, int] = {}
        with contextlib.ExitStack() as stack:
            for series, one in zip(row.series, taken, strict=True):
                key = json.dumps([series.peer, series.task])
                try:
                    if key not in peers:
                        peers[key] = stack.enter_context(self.peer(series, facts, row.name))
                    started.append((series, one, peers[key]))
                except NotMeasured as error:
                    one["not_measured"] = str(error)
                    print(f"{row.name}, {series.column} {series.label}: {error}", file=sys.stderr)
            for repeat in range(-1, self._options.repeats):
                for number, (series, one, peer) in enumerate(started):
                    if one["not_measured"]:
                        continue
                    try:
                        if repeat < 0:
                            one["versions"] = peer.versions
                            counts[number] = self._count(peer, series)
                            continue
                        value = peer.ask(series.request, counts[number])
                        if series.work:
                            value = counts[number] * PRODUCT / value / series.work(facts)
                        elif row.unit.endswith("/s"):
                            value = counts[number] / value
                        one["values"] = [*one["values"], value]
                        last = f"{value:,.5g} {row.unit}"
                    except NotMeasured as error:
                        last = str(error)
                        one |= {"values": [], "not_measured": last}
                    print(f"{row.name}, {series.column} {series.label}: {last}", file=sys.stderr)
        return taken

    def facts(self, data_set: str | None) -> dict:
        """Of a data set, which is made unless it was."""
        if data_set is None:
            return {}
        file = self._scratch / f"{data_set}.json"
        if not file.exists():
            command = [sys.executable, "-m", "benchmarks.data", str(self._scratch), data_set]
            left = max(0.0, self._end - time.monotonic())
            how = {"env": self._environment, "stdout": sys.stderr, "timeout": left}
            try:
                subprocess.run(command, check=True, **how)
            except subprocess.SubprocessError as error:
                raise NotMeasured(f"{data_set} could not be made: {error}") from error
        return json.loads(file.read_text())

    def peer(self, series: Series, facts: dict, name: str) -> "Peer":
        option = {"in_tf114": "tf114", "in_torch": "torch", "in_disent": "torch"}.get(series.peer)
        python = vars(self._options)[f"python_{option}"] if option else sys.executable
        if python is None:
            raise NotMeasured(f"no --python-{option} was given")
        task = facts | series.task | {"scratch": str(self._scratch), "gpu": self._options.gpu}
        command = [python, str(PEERS / f"{series.peer}.py"), json.dumps(task)]
        # The Python 3.7 of TensorFlow 1.14 cannot import what PYTHONPATH has for this one.
        unset = {"PYTHONPATH"} if option == "tf114" else set()
        variables = {k: v for k, v in self._environment.items() if k not in unset}
        log = self._scratch / f"{name}-{series.peer}-{series.label.replace(' ', '_')}.log"
        return Peer(command, variables, log, self._end)

    def _count(self, peer: "Peer", series: Series) -> int:
        """How many items fill a measurement; finding it warms up."""
        if series.count is not None:
            return series.count
        # A few steps or points of the plugin would measure its calls of the session.
        seconds, fast = self._options.seconds, series.column in (PLUGIN, JAX)
        count = series.task.get("chunk", 1) if fast else 1
        peer.ask("run", count)
        while (took := peer.ask("run", count)) < seconds / 4:
            count *= max(2, min(100, int(seconds / max(took, 1e-9))))
        return max(1, round(count * seconds / took))


class Peer(contextlib.AbstractContextManager):
    """A process of peers/, asked by lines (see peers/answers.py), until the monotonic time `end`."""

    def __init__(self, command: list[str], variables: dict[str, str], log: Path, end: float):
        self._log, self._end = log, end
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        try:
            with log.open("w") as output:
                self._process = subprocess.Popen(command, stderr=output, env=variables, **pipes)
        except OSError as error:
            raise NotMeasured(f"{command[0]} cannot be run: {error.strerror}") from error

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()

    @functools.cached_property
    def versions(self) -> dict[str, str]:
        """Of its libraries; waits until it is ready."""
        return self._answer()

    def ask(self, request: str, count: int) -> float:
        """What it answers to a request; raises NotMeasured where it does not."""
        with contextlib.suppress(BrokenPipeError):
            print(request, count, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        left = max(0.0, self._end - time.monotonic())
        # It answers one line to each request, so that none is left in a buffer.
        if not select.select([self._process.stdout], [], [], left)[0]:
            raise NotMeasured(_NO_TIME)
        if line := self._process.stdout.readline():
            return json.loads(line)
        raise NotMeasured(_last_error(self._log))


def environment(packages: list[str], cuda: list[str]) -> dict[str, str]:
    """This process's variables, with packages and CUDA libraries in the given folders."""
    # Wheels of CUDA's libraries lie in nvidia/.
    folders = [*map(Path, cuda), *(Path(folder, "nvidia") for folder in packages)]

    def holding(pattern: str) -> list[str]:
        return sorted({str(p.parent.absolute()) for f in folders for p in f.rglob(pattern)})

    paths = {
        "PYTHONPATH": [str(ROOT), *(str(Path(folder).absolute()) for folder in packages)],
        "LD_LIBRARY_PATH": holding("lib*.so*"),
        "PATH": holding("ptxas"),
    }
    # Several processes share one GPU.
    result = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    for name, found in paths.items():
        result[name] = os.pathsep.join([*found, *filter(None, [os.environ.get(name)])])
    for libdevice in holding("libdevice.10.bc")[:1]:
        flag = f"--xla_gpu_cuda_data_dir={Path(libdevice).parent.parent}"
        result["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    return dict(os.environ) | result


def commit() -> str:
    """The checkout's commit; "+" where its code differs from that."""
    head = _lines("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    changed = _lines("git", "-C", str(ROOT), "status", "--porcelain", "--", "*.py", "*.gin")
    return (head[0] if head else "unknown") + ("+" if changed else "")


def _last_error(log: Path) -> str:
    """The last line of a log that names an error, else the last one that says anything."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line.partition(":")[0]]
    return (errors or lines or ["it ended without a word"])[-1]


def _processor() -> str:
    with contextlib.suppress(OSError):
        if found := re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()):
            return found[1]
    return platform.machine()


def _lines(*command: str) -> list[str]:
    if not shutil.which(command[0]):
        return []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


if __name__ == "__main__":
    sys.exit(main())
