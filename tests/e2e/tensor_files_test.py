"""gemmctl run between safetensors and .npy files: several tensors in one, bf16, and files that are none.

Usage: tensor_files_test.py BIN_DIR
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testing"))
from daemon import running_daemon  # noqa: E402

BIN_DIR = pathlib.Path(sys.argv[1]).resolve()
INVALID = 2
# Both outputs of x w: bf16 and f32. w is column-major in the spec, row-major in a file.
SPEC = {"version": 1,
        "inputs": {"x": {"dtype": "bf16", "shape": [2, 2]},
                   "w": {"dtype": "bf16", "shape": [2, 2], "layout": "column_major"}},
        "matmul": {"a": "x", "b": "w"},
        "epilogue": [{"op": "store", "output": "narrow", "dtype": "bf16"},
                     {"op": "store", "output": "wide", "dtype": "f32"}]}


def bf16(*values):
    return b"".join(struct.pack("<f", value)[2:] for value in values)


def safetensors(tensors):
    """A file of {name: (dtype, shape, bytes)}."""
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensors_of(file):
    """{name: (dtype, shape, bytes)}, read by the format's description alone."""
    content = file.read_bytes()
    size, = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8:8 + size]), content[8 + size:]
    return {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])]) for name, entry in header.items()}


class TensorFilesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        daemon = running_daemon(BIN_DIR, ["--device", "host"])
        _, cls.address = daemon.__enter__()
        cls.addClassCleanup(daemon.__exit__, None, None, None)

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="gemmd.")
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        (self.scratch / "spec.json").write_text(json.dumps(SPEC))
        (self.scratch / "in.safetensors").write_bytes(safetensors({
            "x": ("BF16", [2, 2], bf16(1, 2, 3, 4)), "other": ("I64", [1], bytes(8)),
            "layers.0.weight": ("BF16", [2, 2], bf16(10, 20, 30, 40))}))

    def run_with(self, *arguments):
        return subprocess.run([BIN_DIR / "gemmctl", "--address", self.address, "run", "spec.json", *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, cwd=self.scratch)

    def test_tensors_of_one_file_come_in_and_go_out_together(self):
        ended = self.run_with("--input", "x=in.safetensors", "--input", "w=in.safetensors:layers.0.weight", "--verify",
                              "--output", "narrow=out.safetensors", "--output", "wide=out.safetensors:layers.1.weight")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        product = (70, 100, 150, 220)
        self.assertEqual(tensors_of(self.scratch / "out.safetensors"),
                         {"narrow": ("BF16", [2, 2], bf16(*product)),
                          "layers.1.weight": ("F32", [2, 2], struct.pack("<4f", *product))})

    def test_a_result_is_the_next_runs_input(self):
        first = self.run_with("--random", "--output", "narrow=chain.safetensors:x", "--output", "wide=wide.npy")
        self.assertEqual(first.returncode, 0, first.stderr)
        second = self.run_with("--input", "x=chain.safetensors", "--random", "--verify")
        self.assertEqual(second.returncode, 0, second.stderr)

    def test_two_outputs_of_one_name_are_refused(self):
        ended = self.run_with("--random", "--output", "narrow=o.safetensors:t", "--output", "wide=o.safetensors:t")
        self.assertEqual(ended.returncode, INVALID)
        self.assertIn('"o.safetensors:t" would be written twice', ended.stderr)
        self.assertFalse((self.scratch / "o.safetensors").exists())

    def test_a_bad_file_is_named_with_what_is_wrong(self):
        good = (self.scratch / "in.safetensors").read_bytes()
        cases = {"cut": (good[:-1], "data_offsets"), "empty": (b"", "not a safetensors file"),
                 "long": (struct.pack("<Q", 1 << 62) + good[8:], "a header of 4611686018427387904 bytes"),
                 "shape": (good.replace(b'"x": {"dtype": "BF16", "shape": [2, 2]', b'"x": {"dtype": "BF16", "shape": [4, 1]'),
                           "has shape [4, 1], expected [2, 2]")}
        for name, (content, message) in cases.items():
            with self.subTest(case=name):
                (self.scratch / f"{name}.safetensors").write_bytes(content)
                ended = self.run_with("--input", f"x={name}.safetensors", "--random")
                self.assertEqual(ended.returncode, INVALID)
                self.assertIn(f"{name}.safetensors", ended.stderr)
                self.assertIn(message, ended.stderr)
        self.assertIn("did you mean", self.run_with("--input", "x=in.safetensors:othr", "--random").stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
