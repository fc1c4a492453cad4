"""Operations along rows, through the daemon and gemmctl on the host device, against float64."""

import json
import pathlib
import subprocess
import tempfile
import unittest

import grpc
import numpy as np

import gemmd_specs as specs
from gemmd_daemon import BINARY_DIR, DaemonTest, kernel_spec_pb, pb

M, K, N = 21, 48, 130


def row_spec(*epilogue, inputs=None, dims=None):
    return {
        "version": 1,
        "name": "rows",
        "dims": {"M": "dynamic", "K": K, "N": N, **(dims or {})},
        "inputs": {"x": {"dtype": "f32", "shape": ["M", "K"]}, "w": {"dtype": "f32", "shape": ["K", "N"]}, **(inputs or {})},
        "matmul": {"a": "x", "b": "w"},
        "epilogue": list(epilogue),
    }


def store(name, dtype="f32", **fields):
    return {"op": "store", "output": name, "dtype": dtype, **fields}


def logsumexp(y):
    top = y.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(y - top).sum(axis=1, keepdims=True)))[:, 0]


def rms_norm(y, eps=1e-5):
    return y / np.sqrt((y * y).mean(axis=1, keepdims=True) + eps)


def layer_norm(y, eps=1e-5):
    return (y - y.mean(axis=1, keepdims=True)) / np.sqrt(y.var(axis=1, keepdims=True) + eps)


NORMS = {
    "rms_norm": rms_norm,
    "layer_norm": layer_norm,
    "l2_normalize": lambda y: y / np.linalg.norm(y, axis=1, keepdims=True),
    "softmax": lambda y: np.exp(y - logsumexp(y)[:, None]),
    "log_softmax": lambda y: y - logsumexp(y)[:, None],
}
REDUCTIONS = {
    "logsumexp": logsumexp,
    "sum": lambda y: y.sum(axis=1),
    "mean": lambda y: y.mean(axis=1),
    "var": lambda y: y.var(axis=1, ddof=1),
    "max": lambda y: y.max(axis=1),
    "min": lambda y: y.min(axis=1),
    "argmax": lambda y: y.argmax(axis=1),
}


class RowsTest(DaemonTest):
    def setUp(self):
        random = np.random.default_rng(11)
        self.tensors = {"x": random.standard_normal((M, K), dtype=np.float32),
                        "w": random.standard_normal((K, N), dtype=np.float32)}
        self.product = self.tensors["x"].astype(np.float64) @ self.tensors["w"]
        self.vectors = {"gamma": random.standard_normal(N, dtype=np.float32),
                        "beta": random.standard_normal(N, dtype=np.float32),
                        "scale": random.standard_normal(M, dtype=np.float32)}
        self.declared = {"gamma": {"dtype": "f32", "shape": ["N"]}, "beta": {"dtype": "f32", "shape": ["N"]},
                         "scale": {"dtype": "f32", "shape": ["M"]}}

    def run_spec(self, spec, **tensors):
        requests = specs.run_requests(spec, {**self.tensors, **tensors}, {"M": M})
        return specs.collect_outputs(self.stub.Run(requests))

    def assert_close(self, got, expected):
        self.assertEqual(got.shape, expected.shape)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)

    def test_every_norm(self):
        chain = [{"op": "mul", "value": 0.25, "id": "y"}]
        for name in NORMS:
            chain += [{"op": name, "input": "y"}, store(f"of_{name}")]
        _, outputs = self.run_spec(row_spec(*chain))
        for name, reference in NORMS.items():
            with self.subTest(op=name):
                self.assert_close(outputs[f"of_{name}"], reference(self.product * 0.25))

    def test_every_reduction(self):
        chain = [{"op": "mul", "value": 1, "id": "y"}]
        for name in REDUCTIONS:
            chain += [{"op": name, "input": "y"}, store(f"of_{name}")]
        summary, outputs = self.run_spec(row_spec(*chain))
        for (name, reference), output in zip(REDUCTIONS.items(), summary.outputs):
            with self.subTest(op=name):
                self.assertEqual(list(output.shape), [M])
                self.assert_close(outputs[f"of_{name}"], reference(self.product))

    def test_weights_and_parameters(self):
        chain = [{"op": "relu", "id": "y"}, {"op": "var", "correction": 0}, store("var"),
                 {"op": "layer_norm", "input": "y", "weight": "gamma", "bias": "beta", "eps": 0.5}, store("out")]
        inputs = {name: self.declared[name] for name in ("gamma", "beta")}
        gamma, beta = self.vectors["gamma"], self.vectors["beta"]
        _, outputs = self.run_spec(row_spec(*chain, inputs=inputs), gamma=gamma, beta=beta)
        positive = np.maximum(self.product, 0)
        self.assert_close(outputs["out"], layer_norm(positive, 0.5) * gamma + beta)
        self.assert_close(outputs["var"], positive.var(axis=1))

    def test_a_chain_through_norms_statistics_and_back(self):
        chain = [store("aux"), {"op": "rms_norm", "weight": "gamma", "id": "normed"}, store("out"), {"op": "sum"},
                 {"op": "mul", "operand": "scale", "id": "total"}, store("total"),
                 {"op": "sub", "input": "normed", "operand": "total"}, {"op": "argmax"}, store("at", "i32")]
        inputs = {name: self.declared[name] for name in ("gamma", "scale")}
        gamma, scale = self.vectors["gamma"], self.vectors["scale"]
        summary, outputs = self.run_spec(row_spec(*chain, inputs=inputs), gamma=gamma, scale=scale)
        normed = rms_norm(self.product) * gamma
        self.assert_close(outputs["aux"], self.product)
        self.assert_close(outputs["out"], normed)
        np.testing.assert_allclose(outputs["total"], normed.sum(axis=1) * scale, rtol=1e-4, atol=1e-4)
        self.assertEqual(summary.outputs[3].dtype, kernel_spec_pb.I32)
        np.testing.assert_array_equal(outputs["at"], (normed - (normed.sum(axis=1) * scale)[:, None]).argmax(axis=1))

    def test_rows_after_a_gate(self):
        chain = [{"op": "swiglu"}, {"op": "softmax"}, store("out"), {"op": "max"}, store("peak")]
        _, outputs = self.run_spec(row_spec(*chain))
        left, right = self.product[:, :N // 2], self.product[:, N // 2:]
        expected = NORMS["softmax"](left / (1 + np.exp(-left)) * right)
        self.assert_close(outputs["out"], expected)
        self.assert_close(outputs["peak"], expected.max(axis=1))

    def test_a_large_common_offset_costs_no_digits(self):
        chain = [{"op": "add", "value": 10000, "id": "far"}, store("aux"), {"op": "layer_norm"}, store("out"),
                 {"op": "var", "input": "far"}, store("var")]
        _, outputs = self.run_spec(row_spec(*chain))
        far = outputs["aux"].astype(np.float64)  # what was rounded to f32
        np.testing.assert_allclose(outputs["out"], layer_norm(far), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(outputs["var"], far.var(axis=1, ddof=1), rtol=1e-5)

    def test_rows_without_columns(self):
        spec = row_spec({"op": "sum", "id": "s"}, store("sum"), dims={"N": "dynamic"})
        tensors = {"x": self.tensors["x"], "w": np.zeros((K, 0), dtype=np.float32)}
        dims = {"M": M, "N": 0}
        _, outputs = specs.collect_outputs(self.stub.Run(specs.run_requests(spec, tensors, dims)))
        np.testing.assert_array_equal(outputs["sum"], np.zeros(M))
        spec["epilogue"][0]["op"] = "max"
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT,
                           lambda: self.stub.Run(specs.run_requests(spec, tensors, dims)),
                           'epilogue[0]: "max" of an empty row is not defined')

    def create(self, data):
        handle = self.stub.CreateBuffer(pb.CreateBufferRequest(device="host", bytes=len(data))).buffer
        self.stub.WriteBuffer(iter([pb.WriteBufferRequest(buffer=handle, data=data)]))
        return handle

    def test_launch_writes_vectors_where_they_lie_in_their_buffers(self):
        spec = row_spec({"op": "argmax"}, store("at", "i32"), {"op": "mul", "value": 0.5}, store("half"))
        buffers = {name: pb.TensorArgument(buffer=self.create(tensor.tobytes())) for name, tensor in self.tensors.items()}
        both = self.create(b"\xaa" * (8 * M + 8))  # four bytes, at, four bytes, half
        buffers["at"] = pb.TensorArgument(buffer=both, offset_bytes=4)
        buffers["half"] = pb.TensorArgument(buffer=both, offset_bytes=4 * M + 8)
        self.stub.Launch(pb.LaunchRequest(spec=specs.source_of(spec), dims={"M": M}, tensors=buffers))
        chunks = self.stub.ReadBuffer(pb.ReadBufferRequest(buffer=both, offset_bytes=0, bytes=8 * M + 8))
        data = b"".join(chunk.data for chunk in chunks)
        expected = self.product.argmax(axis=1)
        np.testing.assert_array_equal(np.frombuffer(data[4:4 * M + 4], np.int32), expected)
        np.testing.assert_array_equal(np.frombuffer(data[4 * M + 8:], np.float32), expected / 2)
        self.assertEqual(data[:4] + data[4 * M + 4:4 * M + 8], b"\xaa" * 8)
        buffers["half"] = pb.TensorArgument(buffer=both, offset_bytes=4 * M)
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.stub.Launch(
            pb.LaunchRequest(spec=specs.source_of(spec), dims={"M": M}, tensors=buffers)), '"half" overlaps')

    def test_errors_say_what_does_not_fit(self):
        cases = [
            ([{"op": "sum"}, {"op": "mul", "operand": "gamma"}, store("out")], 'one element a row'),
            ([{"op": "sum"}, {"op": "softmax"}, store("out")], 'epilogue[1]: a value of shape [M] is not a matrix'),
            ([{"op": "mul", "operand": "gamma"}, store("out", "i32")], 'only what "argmax" makes is stored as i32'),
            ([{"op": "rms_norm", "weight": "gama"}, store("out")], 'did you mean "gamma"?'),
        ]
        for chain, needle in cases:
            spec = row_spec(*chain, inputs={"gamma": self.declared["gamma"]})
            with self.subTest(needle=needle):
                self.assert_status(grpc.StatusCode.INVALID_ARGUMENT,
                                   lambda: self.run_spec(spec, gamma=self.vectors["gamma"]), needle)

    def test_gemmctl_verifies_vectors_and_indices_and_writes_them(self):
        chain = [{"op": "softmax", "id": "p"}, store("out"), {"op": "argmax"}, store("at", "i32"),
                 {"op": "logsumexp", "input": "p"}, store("lse")]
        with tempfile.TemporaryDirectory(prefix="gemmd.") as scratch:
            files = pathlib.Path(scratch)
            (files / "rows.json").write_text(json.dumps(row_spec(*chain)))
            for name, tensor in self.tensors.items():
                np.save(files / f"{name}.npy", tensor)
            run = [BINARY_DIR / "gemmctl", "--address", self.daemon.address, "run", "rows.json", "--dim", f"M={M}",
                   "--input", "x=x.npy", "--input", "w=w.npy", "--verify", "--output", "at=at.npy",
                   "--output", "lse=lse.npy", "--output", "out=out.safetensors"]
            ended = subprocess.run(run, cwd=files, capture_output=True, text=True, timeout=120)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertIn("verified", ended.stdout)
            self.assertNotRegex(ended.stdout, "plan: .*[0-9]{6}")  # nothing of a tile without end
            softmax = NORMS["softmax"](self.product)
            at = np.load(files / "at.npy")
            self.assertEqual(at.dtype, np.int32)
            np.testing.assert_array_equal(at, softmax.argmax(axis=1))
            self.assert_close(np.load(files / "lse.npy"), logsumexp(softmax))


if __name__ == "__main__":
    unittest.main()
