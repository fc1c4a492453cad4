"""The rows of the main job: what each computes, as torch expressions and in fp64 with its tolerance."""

import dataclasses
import math
import typing

import torch

_F32_ROUNDOFF = 2.0**-24
_ROUNDOFF = {torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8, torch.float32: 2.0**-24}
_GELU_SLOPE = 1.13  # the largest of its derivative


@dataclasses.dataclass
class Row:
    kind: str
    spec: str  # path from the root of the project
    dtype: torch.dtype
    precision: str
    m: int
    k: int
    n: int
    operands: typing.Tuple[str, ...]
    outputs: typing.Tuple[str, ...]
    peer: typing.Callable  # (x, w, operands) -> tuple of outputs, in torch
    value: typing.Callable  # the same in fp64 on rows, of the exact product; -> tuple of (reference, carried): what an
    #                         error of the product, by element, becomes at most in the reference
    prologue: typing.Callable = None  # of A, in fp32; rounded to the dtype before the product
    gated: bool = False  # outputs are [M, N/2]

    def make_inputs(self):
        """x [M, K], w as [N, K] storage (column-major [K, N]) or [K, N], residual [M, N], bias [N]; random."""
        made = {"x": torch.randn(self.m, self.k, device="cuda", dtype=self.dtype)}
        made["w"] = (torch.randn(self.n, self.k, device="cuda") / math.sqrt(self.k)).to(self.dtype)
        for name in self.operands:
            shape = (self.n,) if name == "bias" else (self.m, self.n)
            made[name] = torch.randn(*shape, device="cuda", dtype=self.dtype)
        return made

    def check(self, x, w, operands, results, rows):
        """(verified, {name: relative error}, relative tolerance) of `results`, {name: outputs}, on the given rows."""
        a, b = x[rows].double(), w.double()
        if self.prologue is not None:
            a = self.prologue(x[rows].float()).to(self.dtype).double()
        product, magnitude = a @ b, a.abs() @ b.abs()
        of_rows = {n: (t[rows] if t.dim() == 2 else t).double() for n, t in operands.items()}
        references = self.value(product, of_rows)
        errors, verified, tolerance_share = {}, True, 0.0
        accumulated = 4 * _F32_ROUNDOFF * math.sqrt(self.k) * magnitude
        if self.prologue is not None:  # its value may lie so near a tie that either neighbour is right
            accumulated = accumulated + _ROUNDOFF[self.dtype] * magnitude
        for index, (reference, carried) in enumerate(references):
            tolerance = _ROUNDOFF[self.dtype] * reference.abs() + carried(accumulated)
            tolerance_share = max(tolerance_share, (tolerance.norm() / reference.norm()).item())
            for name, outputs in results.items():
                difference = (outputs[index][rows].double() - reference).abs()
                share = (difference.norm() / reference.norm()).item()
                errors[name] = max(errors.get(name, 0.0), share)
                if name == "gemmd":
                    verified = verified and bool((difference <= tolerance).all().item())
        return verified, errors, tolerance_share


def times(slope):
    """How a chain carries an error that has at most that slope."""
    return lambda error: slope * error


def _gelu(value):
    return torch.nn.functional.gelu(value)


def _residual_gelu_peer(x, w, o):
    return (_gelu(x @ w * 1.25 + o["residual"] * 0.5 + o["bias"]),)


def _residual_gelu_value(product, o):
    return ((_gelu(product * 1.25 + o["residual"] * 0.5 + o["bias"]), times(1.25 * _GELU_SLOPE)),)


def _gelu_aux_peer(x, w, o):
    aux = x @ w * 1.25 + o["bias"]
    return aux, _gelu(aux)


def _gelu_aux_value(product, o):
    aux = product * 1.25 + o["bias"]
    return (aux, times(1.25)), (_gelu(aux), times(1.25 * _GELU_SLOPE))


def _plain_peer(x, w, o):
    return (x @ w,)


def _plain_value(product, o):
    return ((product, times(1.0)),)


ROWS = (
    Row("residual_gelu", "client/examples/mlp_residual_gelu.json", torch.float16, "default", 8192, 8192, 8192, ("residual", "bias"),
        ("out",), _residual_gelu_peer, _residual_gelu_value),
    Row("gelu_aux", "client/examples/mlp_gelu_aux.json", torch.float16, "default", 8192, 8192, 8192, ("bias",), ("aux", "out"),
        _gelu_aux_peer, _gelu_aux_value),
    Row("plain", "client/examples/linear_bf16.json", torch.bfloat16, "default", 4096, 4096, 4096, (), ("out",),
        _plain_peer, _plain_value),
    Row("plain", "tests/bench/specs/linear_bf16_mma.json", torch.bfloat16, "default", 4096, 4096, 4096, (), ("out",),
        _plain_peer, _plain_value),
    Row("plain", "client/examples/linear_f32.json", torch.float32, "ieee", 4096, 4096, 4096, (), ("out",), _plain_peer,
        _plain_value),
)
