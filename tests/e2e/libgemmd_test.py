"""libgemmd.so as other programs get it: what it exports and needs, its C header, its examples and its Python module.

Usage: libgemmd_test.py LIBRARY SOURCE_DIR CUDA_INCLUDE_DIR GEMMCTL
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

# Beside glibc's own.
NEEDED = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|crypto))\.so\.\d+")
BAD_SPEC = """{"version": 1, "dims": {"M": 8, "K": 8, "N": 8},
 "inputs": {"x": {"dtype": "f32", "shape": ["M", "K"]}, "w": {"dtype": "f32", "shape": ["K", "N"]}},
 "matmul": {"a": "x", "b": "w"},
 "epilogue": [{"op": "add", "operand": "resid"}, {"op": "tanhh"}, {"op": "store", "output": "out", "dtype": "f32"}]}"""


def output_of(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class LibgemmdTest(unittest.TestCase):
    library = source = cuda_include = gemmctl = None

    def test_exports_its_functions_and_nothing_else(self):
        header = (self.source / "client/libgemmd/gemmd.h").read_text()
        declared = set(re.findall(r"GEMMD_API [\w *]+?(gemmd_\w+)\(", header))
        symbols = output_of("nm", "--dynamic", "--defined-only", self.library).split("\n")
        exported = {line.split()[-1].split("@")[0] for line in symbols if line}
        self.assertEqual(exported, declared)

    def test_needs_no_grpc_no_protobuf_and_no_abseil(self):
        needed = re.findall(r"NEEDED.*\[(.*)\]", output_of("readelf", "--dynamic", self.library))
        self.assertIn("libc.so.6", needed)
        for name in needed:
            self.assertRegex(name, NEEDED)

    def test_the_header_is_c_and_cxx(self):
        text = '#include "gemmd.h"\nint main(void) { return gemmd_version() == 0; }\n'
        include = f"-I{self.source}/client/libgemmd"
        for compiler, language, standard in (("cc", "c", "c99"), ("c++", "c++", "c++11")):
            output_of(compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                      "-fsyntax-only", include, "-", input=text)

    def test_the_c_example_compiles_and_runs(self):
        with tempfile.TemporaryDirectory() as directory:
            program = pathlib.Path(directory, "launch")
            libraries = self.library.parent
            output_of("cc", "-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror",
                      f"-I{self.source}/client/libgemmd", f"-I{self.cuda_include}",
                      self.source / "client/examples/launch.c", "-o", program, f"-L{libraries}", "-lgemmd", "-ldl",
                      f"-Wl,-rpath,{libraries}")
            printed = output_of(program)
        self.assertRegex(printed, r"launched: 100 by 48 elements are right|no GPU: the launch is skipped")
        if "skipped" in printed:
            manifest, _, rest = printed.rpartition("}\n")
            self.assertEqual(json.loads(manifest + "}")["arch"], "sm_90a")
            self.assertIn("100 rows need 0 bytes of workspace", rest)

    def test_the_python_example_runs(self):
        printed = output_of(sys.executable, "-B", self.source / "client/examples/launch.py",
                            env=dict(os.environ, LD_LIBRARY_PATH=str(self.library.parent)))
        self.assertRegex(printed, r"launched: the largest error is|the launch is skipped")
        self.assertIn("bf16 [M,512] x bf16 [512,1024]", printed)

    def test_explain_prints_a_specs_kernels(self):
        spec = self.source / "client/examples/linear_bf16.json"
        explain = [sys.executable, "-B", self.source / "client/examples/explain.py", spec, "--library", self.library]
        printed = output_of(*explain)
        for text in ("bf16 [4096,4096] x bf16 [4096,4096]", "config:", " a thread, 0 bytes spilled", "KiB",
                     "CTAs an SM", "extern \"C\""):
            self.assertIn(text, printed)
        self.assertEqual(len(re.findall(r"^// kernel \d+$", printed, re.MULTILINE)), 1)

    def test_explain_says_which_m_a_kernel_is_for(self):
        sys.path[:0] = [str(self.source / "client/examples"), str(self.source / "client/python")]
        import explain
        self.assertEqual(explain.range_text({"m_min": 0, "m_max": 2**63 - 1}), "")
        self.assertEqual(explain.range_text({"m_min": 65, "m_max": 128}), " for M 65 to 128")
        self.assertEqual(explain.range_text({"m_min": 129, "m_max": 2**63 - 1}), " for M from 129")

    def test_explain_says_what_is_wrong(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as spec:
            spec.write(BAD_SPEC)
            spec.flush()
            done = subprocess.run([sys.executable, "-B", self.source / "client/examples/explain.py", spec.name,
                                   "--library", self.library], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("INVALID_ARGUMENT: "), done.stderr)
        self.assertIn("epilogue[0].operand", done.stderr)

    def test_python_hands_kernels_over(self):
        sys.path.insert(0, str(self.source / "client/python"))
        import gemmd
        library = gemmd.Library(self.library)
        spec = (self.source / "client/examples/linear_bf16.json").read_text()
        kernel = gemmd.Compiler(library).compile(spec, arch="sm_90a")
        self.assertEqual([cubin[:4] for cubin in kernel.cubins()], [b"\x7fELF"])
        with self.assertRaises(gemmd.Error) as raised:  # no driver here, or no context
            gemmd.load(json.dumps(kernel.manifest), kernel.cubins(), library)
        self.assertIn(raised.exception.code, ("UNAVAILABLE", "FAILED_PRECONDITION"))

    def test_python_gets_the_errors_that_gemmctl_prints(self):
        sys.path.insert(0, str(self.source / "client/python"))
        import gemmd
        compiler = gemmd.Compiler(gemmd.Library(self.library))
        with self.assertRaises(gemmd.Error) as raised:
            compiler.compile(BAD_SPEC, arch="sm_90a")
        self.assertEqual(raised.exception.code, "INVALID_ARGUMENT")
        printed = subprocess.run([self.gemmctl, "validate", "--local", "-"], input=BAD_SPEC, capture_output=True,
                                 text=True, check=False)
        for line in raised.exception.text.splitlines():
            self.assertIn(line, printed.stdout + printed.stderr)
        self.assertIn("epilogue[0].operand", raised.exception.text)
        self.assertIn("epilogue[1].op", raised.exception.text)


if __name__ == "__main__":
    LibgemmdTest.library, LibgemmdTest.source, LibgemmdTest.cuda_include, LibgemmdTest.gemmctl = map(
        pathlib.Path, sys.argv[1:5])
    unittest.main(argv=sys.argv[:1])
