"""From measurements to entries of a results file, and to lines for people. Needs no torch."""

import statistics

import bench_rows

# Peers that compute the whole row; bare cuBLAS does so only where the row is the bare product.
FUSED_PEERS = ("cublaslt_fused", "eager", "compile", "compile_max")


def peers_of(kind):
    return FUSED_PEERS + (("cublas",) if kind == "plain" else ())


def ratio_of_rounds(timed, name, base):
    """Median, smallest and largest over the rounds of name's time over base's."""
    ratios = [a / b for a, b in zip(timed[name]["rounds_us"], timed[base]["rounds_us"])]
    return {"median": round(statistics.median(ratios), 4), "min": round(min(ratios), 4), "max": round(max(ratios), 4)}


def timing_fields(row, timed):
    """timed: {name: {"median_us", "rounds_us"}} with "gemmd" among them."""
    fields = {"times_us": {name: round(times["median_us"], 2) for name, times in timed.items()},
              "tflops": round(row.flops() / timed["gemmd"]["median_us"] / 1e6, 1),
              "reference_us": round(row.reference_us(), 2)}
    if "cublas" in timed:
        fields["ratio_to_cublas"] = ratio_of_rounds(timed, "gemmd", "cublas")
    peers = [name for name in peers_of(row.kind) if name in timed]
    if peers:
        best = min(peers, key=lambda name: timed[name]["median_us"])
        fields["ratio_to_best_peer"] = {"peer": best} | ratio_of_rounds(timed, "gemmd", best)
    if "gemmd_static" in timed:
        fields["ratio_to_static"] = ratio_of_rounds(timed, "gemmd", "gemmd_static")
    return fields


def kernel_fields(report, m):
    """What of a kernel's report (gemmd.h) belongs into a row: the launches for that M and the last one's config."""
    variant, = [v for v in report["variants"] if v["m_min"] <= m <= v["m_max"]]
    launched = [report["kernels"][index] for index in variant["kernels"]]
    config = {field: value for field, value in launched[-1].items() if field not in ("family", "source", "cubin_key")}
    return {"kernels": len(launched), "compile_ms": round(sum(k["compile_us"] for k in report["kernels"]) / 1e3, 1),
            "config": {"schedule": launched[-1]["family"]} | config}


def label_of(entry):
    row = bench_rows.BenchRow(entry["kind"], entry["M"], entry["K"], entry["N"], entry["dtype"], entry["precision"],
                              dynamic=entry.get("dynamic", False), config=entry.get("pin"),
                              length=entry.get("length", 0))
    return row.label()


def line(entry):
    """An entry in one line."""
    label = f"{label_of(entry):44}"
    if not entry["times_us"]:
        return f"{label} FAILED: {entry['reason'].splitlines()[0]}"
    parts = [f"{entry['times_us']['gemmd']:9.2f} us {entry['tflops']:6.1f} TFLOP/s"]
    for field, base in (("ratio_to_cublas", "cublas"), ("ratio_to_static", "static")):
        if field in entry:
            parts.append(f"{entry[field]['median']:.3f} x {base}")
    if "ratio_to_best_peer" in entry:
        parts.append(f"{entry['ratio_to_best_peer']['median']:.3f} x {entry['ratio_to_best_peer']['peer']}")
    parts.append("verified" if entry["verified"] else f"NOT VERIFIED: {entry['reason']}")
    return f"{label} " + "  ".join(parts)
