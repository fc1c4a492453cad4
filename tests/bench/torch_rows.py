"""What each kind of row computes in torch, as its users write it, and in fp64 with the tolerance of a right result."""

import dataclasses
import math
import typing

import torch

from bench_rows import OPERAND_SHAPES

DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
_F32_ROUNDOFF = 2.0**-24
_ROUNDOFF = {"f16": 2.0**-11, "bf16": 2.0**-8, "f32": 2.0**-24}
_UNDERFLOW = {"f16": 2.0**-25, "bf16": 0.0, "f32": 0.0}  # half of the smallest number, where that is not tiny
# What the product's own rounding of its factors adds, as a share of |A| |B|.
_FACTOR_ROUNDOFF = {"default": 0.0, "ieee": 0.0, "tf32": 2.0**-9, "tf32x3": 2.0**-20}
_GELU_SLOPE, _SILU_SLOPE = 1.13, 1.1  # the largest of their derivatives


@dataclasses.dataclass(frozen=True)
class TorchKind:
    """peer: (x, w, operands) -> outputs. value: the same in fp64 of the exact product, -> (reference, carried) for each
    output; carried: what an error of the product, by element, becomes at most. fused: cuBLASLt's own epilogue."""

    peer: typing.Callable
    value: typing.Callable
    prologue: typing.Optional[typing.Callable] = None  # of A, in fp32; rounded to the dtype before the product
    fused: typing.Optional[typing.Callable] = None


def _times(slope):
    return lambda error: slope * error


def _gelu(value):
    return torch.nn.functional.gelu(value)


def _residual_gelu(x, w, o):
    return (_gelu(x @ w * 1.25 + o["residual"] * 0.5 + o["bias"]),)


def _residual_gelu_value(product, o):
    return ((_gelu(product * 1.25 + o["residual"] * 0.5 + o["bias"]), _times(1.25 * _GELU_SLOPE)),)


def _gelu_aux(x, w, o):
    aux = x @ w * 1.25 + o["bias"]
    return aux, _gelu(aux)


def _gelu_aux_value(product, o):
    aux = product * 1.25 + o["bias"]
    return (aux, _times(1.25)), (_gelu(aux), _times(1.25 * _GELU_SLOPE))


def _swiglu(x, w, o):
    gate, value = (x @ w).chunk(2, dim=-1)
    return (torch.nn.functional.silu(gate) * value,)


def _swiglu_value(product, o):
    gate, value = product.chunk(2, dim=-1)
    activated = torch.nn.functional.silu(gate)

    def carried(error):
        of_gate, of_value = error.chunk(2, dim=-1)
        return _SILU_SLOPE * of_gate * (value.abs() + of_value) + activated.abs() * of_value

    return ((activated * value, carried),)


def _normalized(error, scaled):
    """What an error of a value becomes in what it is by its row's root mean square: `scaled` is that; the error too."""
    return error + scaled.abs() * error.square().mean(-1, keepdim=True).sqrt()


def _rms(product):
    return torch.rsqrt(product.square().mean(-1, keepdim=True) + 1e-5)


def _rmsnorm(x, w, o):
    return (torch.nn.functional.rms_norm(x @ w, (w.shape[1],), o["weight"], 1e-5),)


def _rmsnorm_value(product, o):
    factor = _rms(product)
    return ((product * factor * o["weight"],
             lambda error: o["weight"].abs() * _normalized(error * factor, product * factor)),)


def _rmsnorm_sum(x, w, o):
    return (_rmsnorm(x, w, o)[0].sum(-1),)


def _rmsnorm_sum_value(product, o):
    (value, carried), = _rmsnorm_value(product, o)
    return ((value.sum(-1), lambda error: carried(error).sum(-1)),)


def _layernorm(x, w, o):
    return (torch.nn.functional.layer_norm(x @ w, (w.shape[1],), o["weight"], o["bias"], 1e-5),)


def _layernorm_value(product, o):
    centred = product - product.mean(-1, keepdim=True)
    factor = _rms(centred)

    def carried(error):
        shifted = (error + error.mean(-1, keepdim=True)) * factor
        return o["weight"].abs() * _normalized(shifted, centred * factor)

    return ((centred * factor * o["weight"] + o["bias"], carried),)


def _l2_normalize_value(product, o):
    norm = product.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    return ((product / norm,
             lambda error: (error + (product / norm).abs() * error.norm(dim=-1, keepdim=True)) / norm),)


def _row_largest(error):
    return error.amax(-1, keepdim=True)


def _softmax_value(product, o):
    value = torch.softmax(product, -1)
    return ((value, lambda error: value * torch.expm1(error + _row_largest(error))),)


def _var_value(product, o):
    distance = (product - product.mean(-1, keepdim=True)).abs()

    def carried(error):
        shifted = error + error.mean(-1, keepdim=True)
        return ((2 * distance + shifted) * shifted).sum(-1) / (product.shape[-1] - 1)

    return ((product.var(-1), carried),)


def _prologue(x):
    return torch.relu(x * 0.5 + 0.1)


TORCH_KINDS = {
    "plain": TorchKind(lambda x, w, o: (x @ w,), lambda product, o: ((product, _times(1.0)),)),
    "bias_gelu": TorchKind(lambda x, w, o: (_gelu(x @ w + o["bias"]),),
                           lambda product, o: ((_gelu(product + o["bias"]), _times(_GELU_SLOPE)),),
                           fused=lambda x, w, o: (torch._addmm_activation(o["bias"], x, w, use_gelu=True),)),
    "residual_gelu": TorchKind(_residual_gelu, _residual_gelu_value),
    "gelu_aux": TorchKind(_gelu_aux, _gelu_aux_value),
    "swiglu": TorchKind(_swiglu, _swiglu_value),
    "prologue_relu": TorchKind(lambda x, w, o: (torch.relu(_prologue(x) @ w + o["bias"]),),
                               lambda product, o: ((torch.relu(product + o["bias"]), _times(1.0)),), _prologue),
    "softmax": TorchKind(lambda x, w, o: (torch.softmax(x @ w, -1),), _softmax_value),
    "log_softmax": TorchKind(lambda x, w, o: (torch.log_softmax(x @ w, -1),),
                             lambda product, o: ((torch.log_softmax(product, -1),
                                                  lambda error: error + _row_largest(error)),)),
    "layernorm": TorchKind(_layernorm, _layernorm_value),
    "rmsnorm": TorchKind(_rmsnorm, _rmsnorm_value),
    "rmsnorm_sum": TorchKind(_rmsnorm_sum, _rmsnorm_sum_value),
    "l2_normalize": TorchKind(lambda x, w, o: (torch.nn.functional.normalize(x @ w, dim=-1),), _l2_normalize_value),
    "logsumexp": TorchKind(lambda x, w, o: (torch.logsumexp(x @ w, -1),),
                           lambda product, o: ((torch.logsumexp(product, -1), lambda error: error.amax(-1)),)),
    "sum": TorchKind(lambda x, w, o: ((x @ w).sum(-1),),
                     lambda product, o: ((product.sum(-1), lambda error: error.sum(-1)),)),
    "var": TorchKind(lambda x, w, o: ((x @ w).var(-1),), _var_value),
    "max": TorchKind(lambda x, w, o: ((x @ w).amax(-1),),
                     lambda product, o: ((product.amax(-1), lambda error: error.amax(-1)),)),
}


# Operations of a chain by (x, y) -> value, y a literal or an operand, and how much of an error of x they let through.
_BINARY = {
    "add": (lambda x, y: x + y, lambda y: 1.0),
    "sub": (lambda x, y: x - y, lambda y: 1.0),
    "mul": (lambda x, y: x * y, abs),
    "leaky_relu": (torch.nn.functional.leaky_relu, lambda y: 1.0),
}
_UNARY = {
    "gelu": (_gelu, _GELU_SLOPE),
    "silu": (torch.nn.functional.silu, _SILU_SLOPE),
    "quick_gelu": (lambda x: x * torch.sigmoid(1.702 * x), _SILU_SLOPE),
    "tanh": (torch.tanh, 1.0),
    "sigmoid": (torch.sigmoid, 0.25),
    "relu": (torch.relu, 1.0),
}


def _apply(operation, x, o):
    """(the operation's value, how much of an error of x it lets through), in the precision of its arguments."""
    name = operation["op"]
    if name == "clamp":
        return torch.clamp(x, operation["min"], operation["max"]), 1.0
    if name in _UNARY:
        function, slope = _UNARY[name]
        return function(x), slope
    y = operation["value"] if "value" in operation else o[operation["operand"]]
    if operation.get("operand") == "scale":  # [M]: along each column
        y = y[:, None]
    function, slope = _BINARY[name]
    return function(x, y), slope(y)


def _chain_kind(operations):
    def peer(x, w, o):
        value = x @ w
        for operation in operations:
            value, _ = _apply(operation, value, o)
        return (value,)

    def value_of(product, o):
        value, slope = product, 1.0
        for operation in operations:
            value, further = _apply(operation, value, o)
            slope = slope * further
        return ((value, _times(slope)),)

    return TorchKind(peer, value_of)


def torch_kind(row):
    """Its TorchKind."""
    return _chain_kind(row.chain().epilogue[:-1]) if row.kind == "chain" else TORCH_KINDS[row.kind]


class RowData:
    """A row's random tensors on the GPU: x [M, K]; w [K, N] in the row's layout; operands; outputs, filled with NaN."""

    def __init__(self, row):
        kind, dtype = row.chain(), DTYPES[row.dtype]
        self.row, self.kind = row, torch_kind(row)
        self.x = torch.randn(row.m, row.k, device="cuda", dtype=dtype)
        shape = (row.n, row.k) if row.b_layout == "column_major" else (row.k, row.n)
        w = (torch.randn(shape, device="cuda") / math.sqrt(row.k)).to(dtype)
        self.w = w.t() if row.b_layout == "column_major" else w
        extents = {"M": row.m, "N": row.n}
        self.operands = {name: torch.randn([extents[dim] for dim in OPERAND_SHAPES[shape]], device="cuda", dtype=dtype)
                         for name, shape in kind.operands.items()}
        self._by_row = {name for name, shape in kind.operands.items() if shape.startswith("[M")}
        self.output_names, columns = kind.outputs, row.n // 2 if kind.gated else row.n
        self._output_shape = (row.m,) if kind.per_row else (row.m, columns)

    def new_outputs(self):
        return {name: torch.full(self._output_shape, float("nan"), device="cuda", dtype=DTYPES[self.row.dtype])
                for name in self.output_names}

    def pointers(self, outputs):
        tensors = {"x": self.x, "w": self.w} | self.operands | outputs
        return {name: tensor.data_ptr() for name, tensor in tensors.items()}

    def check(self, results):
        """({name: relative error}, {name: whether within tolerance}, relative tolerance) of {name: outputs} on rows."""
        rows = _sampled_rows(self.row.m)
        a, b = self.x[rows].double(), self.w.double()
        if self.kind.prologue is not None:
            a = self.kind.prologue(self.x[rows].float()).to(self.x.dtype).double()
        product, magnitude = a @ b, a.abs() @ b.abs()
        of_rows = {name: (t[rows] if name in self._by_row else t).double() for name, t in self.operands.items()}
        accumulated = (4 * _F32_ROUNDOFF * math.sqrt(self.row.k) + _FACTOR_ROUNDOFF[self.row.precision]) * magnitude
        if self.kind.prologue is not None:  # its value may lie so near a tie that either neighbour is right
            accumulated = accumulated + _ROUNDOFF[self.row.dtype] * magnitude
        errors, within, tolerance_share = {}, {}, 0.0
        for index, (reference, carried) in enumerate(self.kind.value(product, of_rows)):
            rounded = _ROUNDOFF[self.row.dtype] * reference.abs() + _UNDERFLOW[self.row.dtype]
            tolerance = rounded + carried(accumulated)
            norm = max(reference.norm().item(), 1e-30)
            tolerance_share = max(tolerance_share, tolerance.norm().item() / norm)
            for name, outputs in results.items():
                difference = (outputs[index][rows].double() - reference).abs()
                errors[name] = max(errors.get(name, 0.0), difference.norm().item() / norm)
                within[name] = within.get(name, True) and bool((difference <= tolerance).all().item())
        return errors, within, tolerance_share


def _sampled_rows(m):
    edges = {row for row in (0, 1, 63, 64, 127, 128, m - 1) if 0 <= row < m}
    return torch.tensor(sorted(edges | set(torch.randint(0, m, (57,)).tolist())), device="cuda")
