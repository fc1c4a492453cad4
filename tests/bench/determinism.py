#!/usr/bin/env python3
"""Runs each row of a file many times, alone and beside a busy stream, and compares the bits of its results.

Writes one JSON file: of each row how many runs differed from the first, and whether the first was within its tolerance.
Needs torch. Exits 1 if a run differed, or hung past the time given for it.
"""

import argparse
import faulthandler
import json
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import bench_report
import bench_rows
import compare_torch

HANG_S = 300  # for all runs of a row


def integers_of(tensor):
    """Its bits: a NaN is itself."""
    return tensor.view({2: torch.int16, 4: torch.int32}[tensor.element_size()])


class BusyStream:
    """Products on a stream of its own, as many as keep it ahead of the runs beside it."""

    def __init__(self):
        self._stream = torch.cuda.Stream()
        self._left = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
        self._last = None

    def feed(self):
        if self._last is not None and not self._last.query():
            return
        with torch.cuda.stream(self._stream):
            for _ in range(20):
                torch.matmul(self._left, self._left)
            self._last = torch.cuda.Event()
            self._last.record()


def differing_runs(candidate, first, runs, busy):
    """How many of the runs gave other bits than `first`, poisoned before each."""
    stream = torch.cuda.Stream()
    differ = torch.zeros((), dtype=torch.int64, device="cuda")
    with torch.cuda.stream(stream):
        for run in range(runs):
            if busy:
                busy.feed()
            for output in candidate.outputs:
                integers_of(output).fill_(-1 - run % 2)
            candidate.run(stream)
            same = [(integers_of(output) == expected).all() for output, expected in zip(candidate.outputs, first)]
            differ += ~torch.stack(same).all()
            if run % 100 == 99:
                stream.synchronize()
    return int(differ.item())


def prove(row, compiler, runs):
    torch.backends.cuda.matmul.allow_tf32 = False
    data = compare_torch.RowData(row)
    kernel = compiler.compile(row, row.dynamic)
    candidate = compare_torch.gemmd_candidate(kernel, data, row.m)
    candidate.outputs = candidate.run(torch.cuda.current_stream())
    torch.cuda.synchronize()
    first = [integers_of(output).clone() for output in candidate.outputs]
    _, within, _ = data.check({"gemmd": candidate.outputs})
    torch.cuda.synchronize()
    entry = row.entry() | {"verified": bool(within["gemmd"]), "runs": runs,
                           "differing": differing_runs(candidate, first, runs, None),
                           "differing_beside_a_busy_stream": differing_runs(candidate, first, runs, BusyStream())}
    return entry | bench_report.kernel_fields(kernel.report, row.m)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="skinny", help="a file, or the name of one in tests/bench/rows")
    parser.add_argument("--output", required=True, help="the results file to write")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--library", help="libgemmd.so; by default the build tree's or the package's")
    parser.add_argument("--nvrtc-dir", help="where libnvrtc is; by default the usual places, then NVIDIA's wheels")
    parser.add_argument("--commit", default="", help="of the sources, where this tree is no checkout")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    torch.zeros(1, device="cuda")  # makes the context
    compiler = compare_torch.Gemmd(arguments.library, arguments.nvrtc_dir)
    entries = []
    for row in bench_rows.read_rows(arguments.rows):
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        entries.append(prove(row, compiler, arguments.runs))
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps(entries[-1] | {"source": None}, default=str)[:200], flush=True)
    result = compare_torch.header(arguments.commit, "determinism.py") | {"rows": entries}
    pathlib.Path(arguments.output).write_text(json.dumps(result, indent=1) + "\n")
    good = all(entry["verified"] and entry["differing"] == 0 and entry["differing_beside_a_busy_stream"] == 0
               for entry in entries)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
