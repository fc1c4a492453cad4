#!/usr/bin/env python3
"""Holds the model's first pick against all legal configs, measured: rows of the benchmarks and shapes drawn at random.

For each, `gemmctl tune --candidates` opens with configs of every family out of all legal ones and goes on around the
fastest; what it ends with is the truth that the first pick is held against. With --short, a search of 5 seconds from
the ranking alone is held against it too. A daemon of its own serves, with a cache of its own.
Writes one JSON file, anew after every row. Needs a GPU; exits 1 if a row failed.
"""

import argparse
import contextlib
import dataclasses
import json
import math
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(pathlib.Path(__file__).parent)]
import bench_rows  # noqa: E402

FILES = ("pointwise", "row_reductions")
SMALLEST, LARGEST = 16, 16384
PRECISIONS = [("bf16", "default")] * 4 + [("f16", "default")] * 2 + [("f32", "tf32"), ("f32", "ieee")]


def drawn_row(generator):
    """A row of any kind: extents log-uniform, every other one a multiple of 8 as most models' are."""
    def extent():
        value = round(math.exp(generator.uniform(math.log(SMALLEST), math.log(LARGEST))))
        return max(SMALLEST, value // 8 * 8) if generator.random() < 0.5 else value

    kind = generator.choice(bench_rows.KIND_NAMES)
    dtype, precision = generator.choice(PRECISIONS)
    n = extent()
    return bench_rows.BenchRow(kind, extent(), extent(), n + n % 2 if kind == "swiglu" else n, dtype, precision,
                               generator.choice(["row_major", "column_major"]),
                               length=generator.choice([1, 2, 4, 8, 16]) if kind == "chain" else 0)


def drawn_rows(count, seed):
    generator = random.Random(seed)
    return [drawn_row(generator) for _ in range(count)]


def benchmark_rows():
    """Those of the rows files, each literal and without a pin."""
    rows = [row for name in FILES for row in bench_rows.read_rows(name)]
    return [dataclasses.replace(row, dynamic=False) for row in rows if not row.config]


class Daemon:
    """A gemmd of its own, with no cache and no records to begin with."""

    def __init__(self, binaries):
        self._gemmctl = pathlib.Path(binaries) / "gemmctl"
        self._gemmd = pathlib.Path(binaries) / "gemmd"

    def __enter__(self):
        self._directory = pathlib.Path(tempfile.mkdtemp())
        self._address = f"unix:{self._directory / 'gemmd.sock'}"
        self._process = subprocess.Popen(
            [self._gemmd, "--listen", self._address, "--cache-dir", self._directory / "cache", "--compile-workers",
             str(max(1, (os.cpu_count() or 2) - 1)), "--log-level", "error"])
        deadline = time.monotonic() + 60
        while self.ask("health", timeout=10)[0] != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("gemmd does not serve")
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def ask(self, *arguments, spec=None, timeout=120):
        """gemmctl's exit code, answer and message."""
        done = subprocess.run([self._gemmctl, "--address", self._address, "--json", "--timeout", str(timeout),
                               *arguments], input=spec, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr.strip()

    def tune(self, row, budget_s, candidates=0):
        """gemmctl tune's answer. Raises RuntimeError with its message."""
        opening = ["--candidates", str(candidates)] if candidates else []
        code, answer, message = self.ask("tune", "-", "--budget", f"{budget_s}s", *opening, spec=json.dumps(row.spec()))
        if code != 0:
            raise RuntimeError(message.splitlines()[-1] if message else f"gemmctl tune ended with {code}")
        return json.loads(answer)


def described(candidate):
    return {"schedule": candidate["schedule"], "micro": candidate["micro"], "stages": candidate["stages"],
            "time_us": candidate["time_us"]}


def held(daemon, row, arguments):
    """The row's entry. Raises RuntimeError."""
    start = time.monotonic()
    truth = daemon.tune(row, arguments.budget, arguments.candidates)
    measured = [c for c in truth["candidates"] if c["time_us"] > 0]
    best = truth["best"]
    entry = row.entry() | {"b_layout": row.b_layout, "configs": len(measured),
                           "families": sorted({c["schedule"].split()[0] for c in measured}),
                           "first_pick": described(truth["first_pick"]), "best": described(best),
                           "first_pick_over_best": truth["first_pick"]["time_us"] / best["time_us"]}
    if arguments.short:
        tuned = daemon.tune(row, 5)
        entry["tuned_5s"] = described(tuned["best"])
        entry["tuned_5s_over_best"] = tuned["best"]["time_us"] / best["time_us"]
    if arguments.keep_candidates:
        entry["candidates"] = [described(c) for c in measured]
    return entry | {"seconds": round(time.monotonic() - start, 1)}


def share(values, bound):
    return sum(value <= bound for value in values) / len(values) if values else None


def summary(entries):
    """The shares that the rows are measured by; absent ones are null."""
    good = [entry for entry in entries if "first_pick_over_best" in entry]
    firsts = [entry["first_pick_over_best"] for entry in good]
    shorts = [entry["tuned_5s_over_best"] for entry in good if "tuned_5s_over_best" in entry]
    return {"shapes": len(good), "first_pick_within_10pct": share(firsts, 1.1),
            "first_pick_within_25pct": share(firsts, 1.25), "tuned_5s_within_3pct": share(shorts, 1.03)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", default=ROOT / "build/release/bin", help="where gemmd and gemmctl are")
    parser.add_argument("--output", required=True, help="the results file to write")
    parser.add_argument("--random", type=int, default=60, help="shapes to draw")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--benchmark-rows", action="store_true", help="the rows files' rows too, after those drawn")
    parser.add_argument("--candidates", type=int, default=250, help="configs that a row opens with")
    parser.add_argument("--budget", type=int, default=20, help="seconds a row, at most")
    parser.add_argument("--short", action="store_true", help="a search of 5 seconds for each row too")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no row after so many seconds")
    parser.add_argument("--skip", type=int, default=0, help="so many rows that another run measured")
    parser.add_argument("--keep-candidates", action="store_true", help="the times of all configs, in the results")
    parser.add_argument("--commit", default="", help="of the sources, where this tree is no checkout")
    arguments = parser.parse_args()
    rows = drawn_rows(arguments.random, arguments.seed) + (benchmark_rows() if arguments.benchmark_rows else [])
    header = {"commit": arguments.commit, "seed": arguments.seed, "candidates": arguments.candidates,
              "budget_s": arguments.budget}
    entries, begin = [], time.monotonic()
    with Daemon(arguments.binaries) as daemon:
        code, devices, _ = daemon.ask("devices")
        header["devices"] = json.loads(devices) if code == 0 else None
        for row in rows[arguments.skip:]:
            if time.monotonic() - begin > arguments.seconds:
                break
            try:
                entry = held(daemon, row, arguments)
            except RuntimeError as error:
                entry = row.entry() | {"b_layout": row.b_layout, "failed": str(error)}
            entries.append(entry)
            result = header | summary(entries) | {"rows": entries}
            pathlib.Path(arguments.output).write_text(json.dumps(result, indent=1) + "\n")
            ratio = f"{entry['first_pick_over_best']:.3f}" if "failed" not in entry else f"failed: {entry['failed']}"
            print(f"{row.label()} {row.b_layout}: {ratio}", flush=True)
    return 1 if any("failed" in entry for entry in entries) else 0


if __name__ == "__main__":
    sys.exit(main())
