#!/usr/bin/env python3
"""Prints what gemmd makes of a spec: kernels with their configs, registers, spills, shared memory, occupancy, source.

Compiles in this process with libgemmd: no daemon and, for a named arch, no GPU.
"""

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import gemmd  # noqa: E402

MAX_M = 2**63 - 1


def range_text(variant):
    """For which M a variant is; empty where it is for all."""
    first, last = variant["m_min"], variant["m_max"]
    if last == MAX_M:
        return f" for M from {first}" if first else ""
    return f" for M {first} to {last}"


def kernel_text(kernel):
    extents = {field: "x".join(map(str, kernel[field])) for field in ("tile", "micro")}
    spilled = kernel["spill_store_bytes"] + kernel["spill_load_bytes"]
    warps = kernel["ctas_per_sm"] * kernel["threads"] // 32
    return "\n".join([
        f"  config:     {kernel['family']} tile {extents['tile']}, micro {extents['micro']}, "
        f"{kernel['stages']} stages, groups of {kernel['group_m']}, "
        f"subtile {kernel['subtile_n']}, {kernel['threads']} threads",
        f"  registers:  {kernel['registers']} a thread, {spilled} bytes spilled",
        f"  shared:     {(kernel['shared_bytes'] + kernel['static_shared_bytes']) / 1024:.1f} KiB",
        f"  occupancy:  {kernel['ctas_per_sm']} CTAs an SM, {warps} warps",
        f"  compiled:   in {kernel['compile_us'] / 1e3:.0f} ms, {kernel['cubin_bytes']} bytes, "
        f"cubin_key {kernel['cubin_key'][:12]}",
    ])


def report_text(report):
    """The report of a kernel (gemmd.h), for people."""
    parts = [f"{report['summary']}\n{report['arch']}, plan_id {report['plan_id'][:12]}"]
    parts += [f"not fused: {reason}" for reason in report["reasons"]]
    for variant in report["variants"]:
        for index in variant["kernels"]:
            parts.append(f"kernel {index}{range_text(variant)}\n{kernel_text(report['kernels'][index])}")
    for index, kernel in enumerate(report["kernels"]):
        parts.append(f"// kernel {index}\n{kernel['source']}")
    return "\n\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", help="path of the spec's JSON")
    parser.add_argument("--arch", default="sm_90a", help="to compile for (sm_90a)")
    parser.add_argument("--json", action="store_true", help="the report as it is")
    parser.add_argument("--library", help="libgemmd.so; by default the build tree's or the package's")
    parser.add_argument("--nvrtc-dir", help="where libnvrtc is; by default the usual places")
    arguments = parser.parse_args()
    compiler = gemmd.Compiler(gemmd.Library(arguments.library), nvrtc_dir=arguments.nvrtc_dir)
    try:
        report = compiler.compile(pathlib.Path(arguments.spec).read_text(), arch=arguments.arch).report
    except gemmd.Error as error:
        sys.exit(str(error))
    print(json.dumps(report, indent=2) if arguments.json else report_text(report))


if __name__ == "__main__":
    main()
