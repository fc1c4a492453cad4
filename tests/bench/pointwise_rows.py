"""Rows of pointwise chains fused with a product, for kernel_rows.py: what each computes, in torch and in fp64."""

import torch

from main_job_rows import ROWS as MAIN_JOB_ROWS
from main_job_rows import Row, times

_GELU_SLOPE, _SILU_SLOPE = 1.13, 1.1  # the largest of their derivatives
_SPECS = "tests/bench/specs"


def _plain(dtype, spec, m, k, n):
    return Row("plain", f"{_SPECS}/{spec}.json", dtype, "default", m, k, n, (), ("out",), lambda x, w, o: (x @ w,),
               lambda product, o: ((product, times(1.0)),))


def _bias_gelu_peer(x, w, o):
    return (torch.nn.functional.gelu(x @ w + o["bias"]),)


def _bias_gelu_value(product, o):
    return ((torch.nn.functional.gelu(product + o["bias"]), times(_GELU_SLOPE)),)


def _prologue(x):
    return torch.relu(x * 0.5 + 0.1)


def _prologue_peer(x, w, o):
    return (torch.relu(_prologue(x) @ w + o["bias"]),)


def _prologue_value(product, o):
    return ((torch.relu(product + o["bias"]), times(1.0)),)


def _swiglu_peer(x, w, o):
    gate, value = (x @ w).chunk(2, dim=-1)
    return (torch.nn.functional.silu(gate) * value,)


def _swiglu_value(product, o):
    gate, value = product.chunk(2, dim=-1)
    activated = torch.nn.functional.silu(gate)

    def carried(error):
        of_gate, of_value = error.chunk(2, dim=-1)
        return _SILU_SLOPE * of_gate * (value.abs() + of_value) + activated.abs() * of_value

    return ((activated * value, carried),)


POINTWISE = (
    *[_plain(torch.bfloat16, f"plain_bf16_{n}", n, n, n) for n in (8192, 4096, 2048)],
    *[_plain(torch.float16, f"plain_f16_{n}", n, n, n) for n in (8192, 4096, 2048)],
    *[row for row in MAIN_JOB_ROWS if row.kind in ("residual_gelu", "gelu_aux")],
    Row("bias_gelu", f"{_SPECS}/bias_gelu_bf16.json", torch.bfloat16, "default", 8192, 4096, 14336, ("bias",), ("out",),
        _bias_gelu_peer, _bias_gelu_value),
    Row("swiglu", f"{_SPECS}/swiglu_bf16.json", torch.bfloat16, "default", 8192, 4096, 28672, (), ("out",), _swiglu_peer,
        _swiglu_value, gated=True),
    Row("prologue_relu", f"{_SPECS}/prologue_relu_bf16.json", torch.bfloat16, "default", 8192, 4096, 4096, ("bias",),
        ("out",), _prologue_peer, _prologue_value, _prologue),
)

RAGGED = (
    _plain(torch.bfloat16, "ragged_k_bf16", 4096, 4095, 4096),
    _plain(torch.bfloat16, "ragged_n_bf16", 4096, 4096, 4095),
)

ROW_SETS = {"pointwise": POINTWISE, "ragged": RAGGED}
