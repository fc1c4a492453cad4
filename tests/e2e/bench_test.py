"""The parts of the benchmark that need no GPU: rows and their specs, entries and lines, the plot.

Usage: bench_test.py SOURCE_DIR LIBRARY
"""

import json
import pathlib
import sys
import tempfile
import unittest
from xml.etree import ElementTree


def timed(**medians):
    """Times of three rounds, around the medians."""
    return {name: {"median_us": us, "rounds_us": [us * 0.98, us, us * 1.02]} for name, us in medians.items()}


class BenchTest(unittest.TestCase):
    library = None

    def test_every_kind_and_row_is_a_spec_that_gemmd_takes(self):
        compiler = gemmd.Compiler(gemmd.Library(self.library))
        for path in sorted(bench_rows.ROWS_DIRECTORY.glob("*.json")):
            for row in bench_rows.read_rows(path):
                for dynamic in {False, row.dynamic}:
                    with self.subTest(path=path.name, row=row.label()), self.assertRaises(gemmd.Error) as raised:
                        compiler.compile(row.spec(dynamic), arch="sm_none")  # past validation: only the arch is wrong
                    # What is not built yet is said so, and a row of it stays in the results as not verified.
                    self.assertTrue(raised.exception.code == "UNIMPLEMENTED" or "sm_none" in raised.exception.text,
                                    raised.exception)

    def test_wrong_rows_are_refused_by_place(self):
        with self.assertRaises(ValueError) as raised:
            bench_rows.parse_row({"kind": "plane", "M": 0, "K": 1, "N": 1, "dtype": "f32", "tiles": 3}, "rows[2]")
        for text in ("rows[2].kind: found 'plane'", "rows[2].M: found 0", "rows[2].tiles: not a field",
                     "rows[2].precision: found None"):
            self.assertIn(text, str(raised.exception))

    def test_the_best_peer_computes_the_whole_row(self):
        row = bench_rows.BenchRow("bias_gelu", 64, 64, 64, "bf16", "default")
        fields = bench_report.timing_fields(row, timed(gemmd=10.0, cublas=8.0, eager=30.0, compile=12.5))
        self.assertEqual(fields["ratio_to_best_peer"], {"peer": "compile", "median": 0.8, "min": 0.8, "max": 0.8})
        self.assertEqual(fields["ratio_to_cublas"]["median"], 1.25)
        plain = bench_rows.BenchRow("plain", 64, 64, 64, "bf16", "default")
        fields = bench_report.timing_fields(plain, timed(gemmd=10.0, cublas=8.0, eager=30.0))
        self.assertEqual(fields["ratio_to_best_peer"]["peer"], "cublas")

    def test_a_dynamic_row_is_compared_with_the_static_spec(self):
        row = bench_rows.BenchRow("bias_gelu", 16, 64, 64, "bf16", "default", dynamic=True)
        fields = bench_report.timing_fields(row, timed(gemmd=10.2, gemmd_static=10.0, eager=30.0))
        self.assertEqual(fields["ratio_to_static"]["median"], 1.02)
        self.assertEqual(row.spec(True)["dims"]["M"], "dynamic")
        self.assertEqual(row.spec(False)["dims"]["M"], 16)

    def test_reference_times_are_those_of_the_ceilings(self):
        for shape, dtype, expected_us in (((8192, 8192, 8192), "f16", 1391.8), ((1, 4096, 4096), "bf16", 7.8)):
            row = bench_rows.BenchRow("plain", *shape, dtype, "default")
            self.assertAlmostEqual(row.reference_us(), expected_us, 1)

    def test_a_chain_is_cut_at_its_length(self):
        spec = bench_rows.parse_row({"kind": "chain", "length": 4, "M": 8, "K": 8, "N": 8, "dtype": "f16"}, "row").spec()
        self.assertEqual([operation["op"] for operation in spec["epilogue"]], ["add", "gelu", "mul", "clamp", "store"])
        self.assertEqual(set(spec["inputs"]), {"x", "w", "bias", "scale"})
        with self.assertRaisesRegex(ValueError, "row.length: found 17"):
            bench_rows.parse_row({"kind": "chain", "length": 17, "M": 8, "K": 8, "N": 8, "dtype": "f16"}, "row")

    def test_a_row_holds_the_kernels_of_its_m(self):
        report = gemmd.Compiler(gemmd.Library(self.library)).compile(
            bench_rows.BenchRow("bias_gelu", 16, 256, 256, "bf16", "default").spec(dynamic=True), arch="sm_90a").report
        fields = bench_report.kernel_fields(report, 16)
        self.assertEqual(fields["kernels"], 1)
        self.assertIn(fields["config"]["schedule"], ("simt", "mma", "wgmma", "skinny"))
        self.assertGreater(fields["config"]["registers"], 0)
        self.assertNotIn("source", fields["config"])

    def test_lines_and_the_plot_show_every_row(self):
        row = bench_rows.BenchRow("gelu_aux", 8192, 8192, 8192, "f16", "default")
        good = row.entry() | bench_report.timing_fields(row, timed(gemmd=1500.0, cublas=1450.0, compile=1566.0))
        good |= {"verified": True}
        failed = row.entry() | {"times_us": {}, "verified": False, "reason": "UNIMPLEMENTED: tf32 & more\nmore"}
        self.assertIn("1.034 x cublas  0.958 x compile  verified", bench_report.line(good))
        self.assertIn("FAILED: UNIMPLEMENTED: tf32 & more", bench_report.line(failed))
        result = {"gpu": "GPU", "driver": "1", "torch": "2", "commit": "c" * 40, "date": "2026-01-01",
                  "rows": [good, failed]}
        with tempfile.TemporaryDirectory() as directory:
            results = pathlib.Path(directory, "rows.json")
            results.write_text(json.dumps(result))
            plot_rows.main(results)
            texts = [e.text for e in ElementTree.parse(results.with_suffix(".svg")).iter() if e.tag.endswith("}text")]
        self.assertEqual(texts.count(row.label()), 2)
        self.assertIn("0.958", texts)
        self.assertIn("733", texts)  # TFLOP/s
        self.assertIn("not verified: UNIMPLEMENTED: tf32 & more", texts)

    def test_kept_results_can_be_plotted(self):
        kept = pathlib.Path(bench_rows.__file__).parent / "results/pointwise_h200.json"
        ElementTree.fromstring(plot_rows.draw(json.loads(kept.read_text())))


if __name__ == "__main__":
    source = pathlib.Path(sys.argv[1])
    sys.path[:0] = [str(source / "tests/bench"), str(source / "client/python")]
    import bench_report
    import bench_rows
    import gemmd
    import plot_rows
    BenchTest.library = sys.argv[2]
    unittest.main(argv=sys.argv[:1])
