"""Specs that the tests send, and their float64 references."""

import json
import math

import numpy as np

from gemmd_daemon import kernel_spec_pb, pb


def linear_spec(name="linear", **overrides):
    """out = relu(x w * 1.25 + bias * alpha), dynamic M, K = 40, N = 24; a ragged size in every direction."""
    spec = {
        "version": 1,
        "name": name,
        "dims": {"M": "dynamic", "K": 40, "N": 24},
        "inputs": {
            "x": {"dtype": "f32", "shape": ["M", "K"]},
            "w": {"dtype": "f32", "shape": ["K", "N"]},
            "bias": {"dtype": "f32", "shape": ["N"]},
            "alpha": {"dtype": "f32", "shape": []},
        },
        "matmul": {"a": "x", "b": "w"},
        "epilogue": [
            {"op": "mul", "value": 1.25},
            {"op": "mul", "operand": "alpha"},
            {"op": "add", "operand": "bias"},
            {"op": "relu"},
            {"op": "store", "output": "out", "dtype": "f32"},
        ],
    }
    spec.update(overrides)
    return spec


def linear_reference(x, w, bias, alpha):
    return np.maximum(x.astype(np.float64) @ w.astype(np.float64) * 1.25 * alpha + bias, 0.0)


def gelu_aux_spec():
    """f16, B column-major: aux = x w + residual * 0.5, out = gelu(aux), exact erf."""
    return {
        "version": 1,
        "name": "gelu_aux",
        "dims": {"M": 33, "K": 64, "N": 72},
        "inputs": {
            "x": {"dtype": "f16", "shape": ["M", "K"]},
            "w": {"dtype": "f16", "shape": ["K", "N"], "layout": "column_major"},
            "residual": {"dtype": "f16", "shape": ["M", "N"]},
        },
        "matmul": {"a": "x", "b": "w"},
        "epilogue": [
            {"op": "add", "operand": "residual", "scale": 0.5},
            {"op": "store", "output": "aux", "dtype": "f16"},
            {"op": "gelu"},
            {"op": "store", "output": "out", "dtype": "f16"},
        ],
    }


def gelu(value):
    return 0.5 * value * (1.0 + np.vectorize(math.erf)(value / math.sqrt(2.0)))


def source_of(spec):
    return pb.SpecSource(json=json.dumps(spec))


def slow_spec(operations):
    """A chain so long that its compile takes a while."""
    chain = [{"op": op} for _ in range(operations) for op in ("gelu", "sigmoid", "tanh")]
    return linear_spec("slow", epilogue=[{"op": "add", "operand": "bias"}, {"op": "mul", "operand": "alpha"}] + chain +
                       [{"op": "store", "output": "out", "dtype": "f32"}])


def run_requests(spec, tensors, dims=None, scalars=None, device="host", chunk_bytes=1000):
    """The messages of a Run: its header, then every tensor in chunks."""
    yield pb.RunRequest(header=pb.RunHeader(spec=source_of(spec), device=device, dims=dims or {},
                                            scalars=scalars or {}))
    for name, array in tensors.items():
        data = array.tobytes(order="A")
        for offset in range(0, len(data), chunk_bytes):
            yield pb.RunRequest(input=pb.TensorChunk(name=name, offset_bytes=offset,
                                                     data=data[offset:offset + chunk_bytes]))


def collect_outputs(responses):
    """The summary and every output as an array."""
    responses = iter(responses)
    summary = next(responses).summary
    outputs = {output.name: bytearray() for output in summary.outputs}
    for response in responses:
        chunk = response.output
        assert chunk.offset_bytes == len(outputs[chunk.name]), "output chunks came out of order"
        outputs[chunk.name] += chunk.data
    arrays = {}
    for output in summary.outputs:
        dtype = {kernel_spec_pb.F32: np.float32, kernel_spec_pb.F16: np.float16,
                 kernel_spec_pb.I32: np.int32}[output.dtype]
        arrays[output.name] = np.frombuffer(outputs[output.name], dtype).reshape(list(output.shape))
    return summary, arrays
