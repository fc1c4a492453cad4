"""Run, buffers and launches on the host device, against float64."""

import unittest

import grpc
import numpy as np

import gemmd_specs as specs
from gemmd_daemon import DaemonTest, kernel_spec_pb, pb


class RunTest(DaemonTest):
    def setUp(self):
        random = np.random.default_rng(7)
        self.linear = {
            "x": random.standard_normal((37, 40), dtype=np.float32),
            "w": random.standard_normal((40, 24), dtype=np.float32),
            "bias": random.standard_normal(24, dtype=np.float32),
        }
        self.dims, self.scalars = {"M": 37}, {"alpha": 0.5}

    def run_linear(self, tensors, **arguments):
        call = {"dims": self.dims, "scalars": self.scalars, **arguments}
        return self.stub.Run(specs.run_requests(specs.linear_spec(), tensors, **call))

    def expected(self, rows=slice(None)):
        return specs.linear_reference(self.linear["x"][rows], self.linear["w"], self.linear["bias"], 0.5)

    def test_run_computes_the_spec(self):
        summary, outputs = specs.collect_outputs(self.run_linear(self.linear))
        self.assertEqual(summary.device, "host")
        self.assertEqual(list(summary.outputs[0].shape), [37, 24])
        self.assertEqual(summary.outputs[0].dtype, kernel_spec_pb.F32)
        np.testing.assert_allclose(outputs["out"], self.expected(), rtol=1e-5, atol=1e-5)

    def test_run_gives_every_output_of_a_column_major_f16_spec(self):
        random = np.random.default_rng(8)
        x = random.standard_normal((33, 64)).astype(np.float16)
        w = np.asfortranarray(random.standard_normal((64, 72)).astype(np.float16))
        residual = random.standard_normal((33, 72)).astype(np.float16)
        _, outputs = specs.collect_outputs(
            self.stub.Run(specs.run_requests(specs.gelu_aux_spec(), {"x": x, "w": w, "residual": residual})))
        aux = x.astype(np.float64) @ w.astype(np.float64) + residual.astype(np.float64) * 0.5
        np.testing.assert_allclose(outputs["aux"], aux, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(outputs["out"], specs.gelu(aux), rtol=2e-3, atol=2e-3)

    def test_run_applies_prologues_before_the_product(self):
        prologue = {
            "a": [{"op": "mul", "operand": "alpha"}, {"op": "relu"}],
            "b": [{"op": "add", "operand": "bias"}, {"op": "abs"}],
        }
        epilogue = [{"op": "sub", "operand": "bias"}, {"op": "store", "output": "out", "dtype": "f32"}]
        spec = specs.linear_spec("prologues", prologue=prologue, epilogue=epilogue)
        _, outputs = specs.collect_outputs(self.stub.Run(specs.run_requests(spec, self.linear, self.dims, self.scalars)))
        left = np.maximum(self.linear["x"].astype(np.float64) * 0.5, 0.0)
        right = np.abs(self.linear["w"].astype(np.float64) + self.linear["bias"])
        np.testing.assert_allclose(outputs["out"], left @ right - self.linear["bias"], rtol=1e-5, atol=1e-5)

    def test_run_joins_compares_and_selects_values(self):
        epilogue = [
            {"op": "add", "operand": "bias", "id": "sum"},
            {"op": "gt", "operand": "alpha", "id": "large"},
            {"op": "store", "output": "mask", "dtype": "f32"},
            {"op": "sigmoid", "input": "sum"},
            {"op": "mul", "operand": "sum", "scale": 2},
            {"op": "where", "condition": "large", "operand": "sum"},
            {"op": "store", "output": "out", "dtype": "f32"},
        ]
        spec = specs.linear_spec("joined", epilogue=epilogue)
        _, outputs = specs.collect_outputs(self.stub.Run(specs.run_requests(spec, self.linear, self.dims, self.scalars)))
        total = self.linear["x"].astype(np.float64) @ self.linear["w"] + self.linear["bias"]
        self.assertGreater(np.abs(total - 0.5).min(), 1e-4)  # no comparison is a matter of rounding
        np.testing.assert_array_equal(outputs["mask"], total > 0.5)
        expected = np.where(total > 0.5, 2 * total / (1 + np.exp(-total)), total)
        np.testing.assert_allclose(outputs["out"], expected, rtol=1e-5, atol=1e-5)

    def test_run_multiplies_the_halves_of_a_gate(self):
        random = np.random.default_rng(9)
        x = random.standard_normal((33, 40), dtype=np.float32)
        w = random.standard_normal((40, 150), dtype=np.float32)
        gain = random.standard_normal(75, dtype=np.float32)
        spec = {
            "version": 1,
            "dims": {"M": "dynamic", "N": 150, "H": 75},
            "inputs": {"x": {"dtype": "f32", "shape": ["M", 40]}, "w": {"dtype": "f32", "shape": [40, "N"]},
                       "gain": {"dtype": "f32", "shape": ["H"]}},
            "matmul": {"a": "x", "b": "w"},
            "epilogue": [
                {"op": "store", "output": "both", "dtype": "f32"},
                {"op": "swiglu"},
                {"op": "mul", "operand": "gain"},
                {"op": "store", "output": "out", "dtype": "f32"},
            ],
        }
        _, outputs = specs.collect_outputs(
            self.stub.Run(specs.run_requests(spec, {"x": x, "w": w, "gain": gain}, {"M": 33})))
        both = x.astype(np.float64) @ w
        left, right = both[:, :75], both[:, 75:]
        np.testing.assert_allclose(outputs["both"], both, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(outputs["out"], left / (1 + np.exp(-left)) * right * gain, rtol=1e-4, atol=1e-4)

    def test_run_still_compiles_and_caches_the_cuda_kernel(self):
        specs.collect_outputs(self.run_linear(self.linear))
        summary, _ = specs.collect_outputs(self.run_linear(self.linear))
        self.assertEqual(summary.compile.arch, "sm_90a")
        self.assertEqual(summary.compile.cache_tier, "memory")
        self.assertGreater(summary.compile.cubin_bytes, 0)

    def test_an_output_larger_than_one_chunk_arrives_whole(self):
        spec = specs.linear_spec()
        rows = 20000  # 1.9 MB of output
        x = np.ones((rows, 40), dtype=np.float32)
        tensors = {**self.linear, "x": x}
        _, outputs = specs.collect_outputs(
            self.stub.Run(specs.run_requests(spec, tensors, dims={"M": rows}, scalars=self.scalars, chunk_bytes=1 << 20)))
        reference = specs.linear_reference(x[:1], self.linear["w"], self.linear["bias"], 0.5)
        np.testing.assert_allclose(outputs["out"], np.broadcast_to(reference, (rows, 24)), rtol=1e-5, atol=1e-5)

    def test_no_rows_are_no_work(self):
        tensors = {**self.linear, "x": np.zeros((0, 40), dtype=np.float32)}
        _, outputs = specs.collect_outputs(self.run_linear(tensors, dims={"M": 0}))
        self.assertEqual(outputs["out"].shape, (0, 24))

    def test_run_names_the_tensor_that_is_wrong(self):
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        without_bias = {name: self.linear[name] for name in ("x", "w")}
        cases = [
            (without_bias, "inputs.bias", "missing"),
            ({**self.linear, "bias": self.linear["bias"][:5]}, "inputs.bias", "incomplete"),
            ({**self.linear, "bias": np.zeros(25, dtype=np.float32)}, "inputs.bias", "96 bytes"),
            ({**self.linear, "bais": self.linear["bias"]}, "inputs.bais", 'did you mean "bias"'),
            ({**self.linear, "alpha": np.float32(1.0)}, "inputs.alpha", "scalar"),
            ({**self.linear, "out": self.linear["bias"]}, "inputs.out", "not an input"),
        ]
        for tensors, *needles in cases:
            with self.subTest(needles=needles):
                self.assert_status(invalid, lambda: self.run_linear(tensors), *needles)

    def test_run_refuses_bytes_sent_twice_and_gaps(self):
        header = next(iter(specs.run_requests(specs.linear_spec(), {}, self.dims, self.scalars)))

        def chunk(offset):
            return pb.RunRequest(input=pb.TensorChunk(name="bias", offset_bytes=offset, data=bytes(48)))
        for offsets, needle in (([0, 0], "came already"), ([48], "gap"), ([0, 96], "gap")):
            with self.subTest(offsets=offsets):
                messages = [header, *map(chunk, offsets)]
                self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.stub.Run(iter(messages)), "inputs.bias",
                                   needle)

    def test_run_refuses_wrong_dims_and_scalars(self):
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        self.assert_status(invalid, lambda: self.run_linear(self.linear, dims={}), "M")
        self.assert_status(invalid, lambda: self.run_linear(self.linear, dims={"M": 37, "K": 41}), "K")
        self.assert_status(invalid, lambda: self.run_linear(self.linear, scalars={}), "alpha")
        self.assert_status(invalid, lambda: self.run_linear(self.linear, scalars={"alpha": 1, "alhpa": 1}), "alhpa")

    def test_the_first_message_must_be_a_header(self):
        stray = pb.RunRequest(input=pb.TensorChunk(name="x"))
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.stub.Run(iter([stray])), "header")

    def test_a_run_that_was_cancelled_leaves_the_daemon_well(self):
        messages = specs.run_requests(specs.linear_spec(), self.linear, self.dims, self.scalars)
        call = self.stub.Run(messages)
        call.cancel()
        _, outputs = specs.collect_outputs(self.run_linear(self.linear))
        np.testing.assert_allclose(outputs["out"], self.expected(), rtol=1e-5, atol=1e-5)

    def create(self, array_or_bytes):
        data = array_or_bytes if isinstance(array_or_bytes, bytes) else array_or_bytes.tobytes()
        handle = self.stub.CreateBuffer(pb.CreateBufferRequest(device="host", bytes=len(data))).buffer
        chunks = [pb.WriteBufferRequest(buffer=handle, data=data[:100]), pb.WriteBufferRequest(data=data[100:])]
        self.assertEqual(self.stub.WriteBuffer(iter(chunks)).bytes, len(data))
        return handle

    def read(self, handle, offset, size):
        responses = self.stub.ReadBuffer(pb.ReadBufferRequest(buffer=handle, offset_bytes=offset, bytes=size))
        return b"".join(response.data for response in responses)

    def launch(self, tensors, spec=None, dims=None):
        arguments = {name: argument if isinstance(argument, pb.TensorArgument) else pb.TensorArgument(buffer=argument)
                     for name, argument in tensors.items()}
        return self.stub.Launch(pb.LaunchRequest(spec=specs.source_of(spec or specs.linear_spec()), dims=dims or self.dims,
                                                 scalars=self.scalars, tensors=arguments))

    def test_launch_computes_on_buffers(self):
        buffers = {name: self.create(array) for name, array in self.linear.items()}
        out = self.create(bytes(37 * 24 * 4))
        self.launch({**buffers, "out": out})
        result = np.frombuffer(self.read(out, 0, 37 * 24 * 4), np.float32).reshape(37, 24)
        np.testing.assert_allclose(result, self.expected(), rtol=1e-5, atol=1e-5)
        for handle in (*buffers.values(), out):
            self.stub.FreeBuffer(pb.FreeBufferRequest(buffer=handle))
            self.assert_status(grpc.StatusCode.NOT_FOUND, lambda: self.stub.FreeBuffer(pb.FreeBufferRequest(buffer=handle)))

    def test_launch_takes_offsets_and_leading_dimensions(self):
        wide = np.zeros((37, 50), dtype=np.float32)
        wide[:, 3:43] = self.linear["x"]
        buffers = {name: self.create(self.linear[name]) for name in ("w", "bias")}
        x = pb.TensorArgument(buffer=self.create(wide), offset_bytes=12, leading_dimension=50)
        out = self.create(bytes(37 * 30 * 4))
        self.launch({**buffers, "x": x, "out": pb.TensorArgument(buffer=out, leading_dimension=30)})
        result = np.frombuffer(self.read(out, 0, 37 * 30 * 4), np.float32).reshape(37, 30)
        np.testing.assert_allclose(result[:, :24], self.expected(), rtol=1e-5, atol=1e-5)
        self.assertFalse(result[:, 24:].any(), "wrote past the output's columns")

    def test_launch_in_place_reads_an_operand_as_it_was(self):
        spec = specs.linear_spec("in place")
        spec["inputs"] = {**spec["inputs"], "residual": {"dtype": "f32", "shape": ["M", "N"]}}
        spec["epilogue"] = [{"op": "mul", "operand": "alpha"}, {"op": "add", "operand": "bias"},
                            {"op": "add", "operand": "residual"}, {"op": "store", "output": "aux", "dtype": "f32"},
                            {"op": "mul", "operand": "residual"}, {"op": "store", "output": "out", "dtype": "f32"}]
        residual = np.linspace(-1, 1, 37 * 24, dtype=np.float32).reshape(37, 24)
        buffers = {name: self.create(array) for name, array in {**self.linear, "residual": residual}.items()}
        out = self.create(bytes(37 * 24 * 4))
        self.launch({**buffers, "aux": buffers["residual"], "out": out}, spec)
        aux = (self.linear["x"].astype(np.float64) @ self.linear["w"] * self.scalars["alpha"] + self.linear["bias"] +
               residual)
        for handle, expected in ((buffers["residual"], aux), (out, aux * residual)):
            result = np.frombuffer(self.read(handle, 0, 37 * 24 * 4), np.float32).reshape(37, 24)
            np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
        both = {**buffers, "aux": buffers["residual"], "out": buffers["residual"]}
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.launch(both, spec), '"out"', '"aux"')

    def test_a_dynamic_n_and_k_are_those_of_the_launch(self):
        spec = specs.linear_spec("all dynamic", dims={"M": "dynamic", "K": "dynamic", "N": "dynamic"})
        for k, n in ((40, 24), (39, 23), (1, 1), (0, 5)):
            tensors = {"x": self.linear["x"][:, :k], "w": self.linear["w"][:k, :n], "bias": self.linear["bias"][:n]}
            tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
            dims = {"M": 37, "K": k, "N": n}
            _, outputs = specs.collect_outputs(self.stub.Run(specs.run_requests(spec, tensors, dims, self.scalars)))
            expected = specs.linear_reference(**tensors, alpha=self.scalars["alpha"])
            np.testing.assert_allclose(outputs["out"], expected, rtol=1e-5, atol=1e-5)

    def test_launch_names_the_tensor_that_is_wrong(self):
        buffers = {name: self.create(array) for name, array in self.linear.items()}
        buffers["out"] = self.create(bytes(37 * 24 * 4))
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        argument = pb.TensorArgument
        without_x = {name: handle for name, handle in buffers.items() if name != "x"}
        self.assert_status(invalid, lambda: self.launch(without_x), "tensors.x", "missing")
        self.assert_status(invalid, lambda: self.launch({**buffers, "y": buffers["x"]}), "tensors.y")
        self.assert_status(invalid, lambda: self.launch({**buffers, "out": buffers["x"]}), '"out"', '"x"')
        odd = argument(buffer=buffers["x"], offset_bytes=2)
        self.assert_status(invalid, lambda: self.launch({**buffers, "x": odd}), "tensors.x", "multiple of 4")
        narrow = argument(buffer=buffers["x"], leading_dimension=39)
        self.assert_status(invalid, lambda: self.launch({**buffers, "x": narrow}), '"x"', "39")
        self.assert_status(grpc.StatusCode.NOT_FOUND, lambda: self.launch({**buffers, "x": "feed"}), "tensors.x")
        self.assert_status(grpc.StatusCode.OUT_OF_RANGE, lambda: self.launch({**buffers, "x": buffers["bias"]}), '"x"')

    def test_buffers_are_zeroed_and_bounded(self):
        out_of_range = grpc.StatusCode.OUT_OF_RANGE
        handle = self.stub.CreateBuffer(pb.CreateBufferRequest(device="host", bytes=3 << 20)).buffer
        self.assertRegex(handle, "^[0-9a-f]{32}$")
        self.assertEqual(self.read(handle, 0, 3 << 20), bytes(3 << 20))
        self.assert_status(out_of_range, lambda: self.read(handle, 1, 3 << 20))
        self.assert_status(out_of_range, lambda: self.read(handle, -1, 1))
        self.assert_status(out_of_range, lambda: self.read(handle, (1 << 63) - 1, (1 << 63) - 1))
        long = [pb.WriteBufferRequest(buffer=handle, offset_bytes=(3 << 20) - 1, data=b"ab")]
        self.assert_status(out_of_range, lambda: self.stub.WriteBuffer(iter(long)))
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT,
                           lambda: self.stub.CreateBuffer(pb.CreateBufferRequest(device="host", bytes=0)), "bytes")


if __name__ == "__main__":
    unittest.main()
