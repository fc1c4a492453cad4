"""Rows of a benchmark: what tests/bench/rows/*.json may say, and the spec that each of them is. Needs no torch.

A file is {"about": text, "rows": [row, ...]}; a row has "kind", one of KIND_NAMES; "M", "K", "N"; "dtype", f16, bf16 or
f32; and as it likes "precision" (default; ieee, tf32 or tf32x3 for f32), "b_layout" (row_major, the default, or
column_major), "dynamic" (true: M is dynamic, and the literal spec runs beside it), "length" (of a "chain": how many of
CHAIN's operations) and "config", a pin.
"""

import dataclasses
import json
import pathlib
import typing

ROWS_DIRECTORY = pathlib.Path(__file__).resolve().parent / "rows"
PRECISIONS = {"f16": ("default",), "bf16": ("default",), "f32": ("ieee", "tf32", "tf32x3")}
OPERAND_SHAPES = {"[N]": ["N"], "[M]": ["M"], "[M, N]": ["M", "N"]}
ELEMENT_BYTES = {"f16": 2, "bf16": 2, "f32": 4}
# What an H200 reaches, in operations and bytes a second: a yardstick, not a bound. tf32x3 takes three tf32 products.
CEILINGS = {("f16", "default"): 790e12, ("bf16", "default"): 790e12, ("f32", "tf32"): 405e12, ("f32", "ieee"): 51e12,
            ("f32", "tf32x3"): 135e12}
CEILING_BYTES = 4.3e12


@dataclasses.dataclass(frozen=True)
class Kind:
    """A chain: its operands by name and shape, and its operations; "DTYPE" stands for the row's."""

    epilogue: typing.Tuple[dict, ...]
    operands: typing.Dict[str, str] = dataclasses.field(default_factory=dict)  # name: a key of OPERAND_SHAPES
    outputs: typing.Tuple[str, ...] = ("out",)
    prologue: typing.Tuple[dict, ...] = ()
    gated: bool = False  # outputs are [M, N/2]
    per_row: bool = False  # outputs are [M]


def _store(output="out"):
    return {"op": "store", "output": output, "dtype": "DTYPE"}


_SCALE = {"op": "mul", "value": 1.25}
_BIAS = {"op": "add", "operand": "bias"}
_GELU = {"op": "gelu"}
KINDS = {
    "plain": Kind((_store(),)),
    "bias_gelu": Kind((_BIAS, _GELU, _store()), {"bias": "[N]"}),
    "residual_gelu": Kind((_SCALE, {"op": "add", "operand": "residual", "scale": 0.5}, _BIAS, _GELU, _store()),
                          {"residual": "[M, N]", "bias": "[N]"}),
    "gelu_aux": Kind((_SCALE, _BIAS, _store("aux"), _GELU, _store()), {"bias": "[N]"},
                     ("aux", "out")),
    "swiglu": Kind(({"op": "swiglu"}, _store()), gated=True),
    "prologue_relu": Kind((_BIAS, {"op": "relu"}, _store()), {"bias": "[N]"},
                          prologue=({"op": "mul", "value": 0.5}, {"op": "add", "value": 0.1}, {"op": "relu"})),
    "softmax": Kind(({"op": "softmax"}, _store())),
    "log_softmax": Kind(({"op": "log_softmax"}, _store())),
    "layernorm": Kind(({"op": "layer_norm", "weight": "weight", "bias": "bias"}, _store()),
                      {"weight": "[N]", "bias": "[N]"}),
    "rmsnorm": Kind(({"op": "rms_norm", "weight": "weight"}, _store()), {"weight": "[N]"}),
    "rmsnorm_sum": Kind(({"op": "rms_norm", "weight": "weight"}, {"op": "sum"}, _store()), {"weight": "[N]"},
                        per_row=True),
    "l2_normalize": Kind(({"op": "l2_normalize"}, _store())),
    "logsumexp": Kind(({"op": "logsumexp"}, _store()), per_row=True),
    "sum": Kind(({"op": "sum"}, _store()), per_row=True),
    "var": Kind(({"op": "var"}, _store()), per_row=True),
    "max": Kind(({"op": "max"}, _store()), per_row=True),
}


# What a "chain" row is cut from.
CHAIN = ({"op": "add", "operand": "bias"}, {"op": "gelu"}, {"op": "mul", "operand": "scale"},
         {"op": "clamp", "min": -4, "max": 4}, {"op": "add", "operand": "residual"}, {"op": "silu"},
         {"op": "mul", "operand": "gain"}, {"op": "tanh"}, {"op": "mul", "value": 1.5}, {"op": "add", "value": 0.25},
         {"op": "relu"}, {"op": "sub", "operand": "bias"}, {"op": "sigmoid"}, {"op": "mul", "operand": "residual"},
         {"op": "leaky_relu", "value": 0.1}, {"op": "quick_gelu"})
_CHAIN_OPERANDS = {"bias": "[N]", "scale": "[M]", "residual": "[M, N]", "gain": "[N]"}
KIND_NAMES = (*KINDS, "chain")


def _chain(length):
    used = {operation.get("operand") for operation in CHAIN[:length]}
    return Kind((*CHAIN[:length], _store()), {name: s for name, s in _CHAIN_OPERANDS.items() if name in used})


@dataclasses.dataclass(frozen=True)
class BenchRow:
    kind: str
    m: int
    k: int
    n: int
    dtype: str
    precision: str
    b_layout: str = "row_major"
    dynamic: bool = False
    config: typing.Optional[dict] = None
    length: int = 0

    def chain(self):
        """Its Kind."""
        return _chain(self.length) if self.kind == "chain" else KINDS[self.kind]

    def label(self):
        return f"{self.kind}{self.length or ''} {self.m}x{self.k}x{self.n} {self.dtype}" + (
            "" if self.precision == "default" else f" {self.precision}") + (" dynamic M" if self.dynamic else "") + (
            f" {self.config}" if self.config else "")

    def flops(self):
        return 2.0 * self.m * self.k * self.n

    def reference_us(self):
        """What the ceilings allow: of arithmetic, or of memory where that is slower."""
        width = ELEMENT_BYTES[self.dtype]
        kind = self.chain()
        columns = 1 if kind.per_row else self.n // 2 if kind.gated else self.n
        elements = self.m * self.k + self.k * self.n + len(kind.outputs) * self.m * columns
        elements += sum(self.m * self.n for shape in kind.operands.values() if shape == "[M, N]")
        return 1e6 * max(self.flops() / CEILINGS[self.dtype, self.precision], elements * width / CEILING_BYTES)

    def entry(self):
        """What identifies it in the results."""
        entry = {"kind": self.kind, "M": self.m, "K": self.k, "N": self.n, "dtype": self.dtype,
                 "precision": self.precision}
        if self.dynamic:
            entry["dynamic"] = True
        if self.length:
            entry["length"] = self.length
        if self.config:
            entry["pin"] = self.config
        return entry

    def spec(self, dynamic=False):
        """The spec, as a dict; dynamic: with a dynamic M."""
        kind = self.chain()
        inputs = {"x": {"dtype": self.dtype, "shape": ["M", "K"]},
                  "w": {"dtype": self.dtype, "shape": ["K", "N"], "layout": self.b_layout}}
        inputs |= {name: {"dtype": self.dtype, "shape": OPERAND_SHAPES[shape]} for name, shape in kind.operands.items()}
        dims = {"M": "dynamic" if dynamic else self.m, "K": self.k, "N": self.n}
        spec = {"version": 1, "name": self.kind, "dims": dims, "inputs": inputs, "matmul": {"a": "x", "b": "w"},
                "epilogue": [operation | ({"dtype": self.dtype} if "dtype" in operation else {})
                             for operation in kind.epilogue]}
        if kind.prologue:
            spec["prologue"] = {"a": list(kind.prologue)}
        if self.precision != "default":
            spec["precision"] = self.precision
        if self.config:
            spec["config"] = self.config
        return spec


def parse_row(entry, place):
    """A BenchRow of one entry. Raises ValueError with every error, each naming its place."""
    errors = []

    def take(field, allowed, default=None):
        value = entry.get(field, default)
        if value not in allowed:
            errors.append(f"{place}.{field}: found {value!r}, expected one of {', '.join(map(repr, allowed))}")
        return value

    known = {"kind", "M", "K", "N", "dtype", "precision", "b_layout", "dynamic", "length", "config"}
    errors += [f"{place}.{field}: not a field of a row" for field in sorted(set(entry) - known)]
    kind, dtype = take("kind", list(KIND_NAMES)), take("dtype", list(PRECISIONS))
    precisions = PRECISIONS.get(dtype, ("default",))
    precision = take("precision", precisions, "default" if "default" in precisions else None)
    b_layout = take("b_layout", ["row_major", "column_major"], "row_major")
    dynamic = take("dynamic", [False, True], False)
    length = take("length", range(1, len(CHAIN) + 1) if kind == "chain" else [0], 0)
    extents = {}
    for field in ("M", "K", "N"):
        extents[field] = entry.get(field)
        if type(extents[field]) is not int or extents[field] <= 0:
            errors.append(f"{place}.{field}: found {extents[field]!r}, expected an integer above 0")
    if errors:
        raise ValueError("\n".join(errors))
    return BenchRow(kind, extents["M"], extents["K"], extents["N"], dtype, precision, b_layout, dynamic,
                    entry.get("config"), length)


def read_rows(path):
    """The rows of a file; `path` may also be the name of one in tests/bench/rows. Raises ValueError."""
    path = pathlib.Path(path)
    if not path.exists():
        path = ROWS_DIRECTORY / f"{path}.json"
    rows, errors = [], []
    for index, entry in enumerate(json.loads(path.read_text())["rows"]):
        try:
            rows.append(parse_row(entry, f"rows[{index}]"))
        except ValueError as error:
            errors.append(str(error))
    if errors:
        raise ValueError(f"{path}:\n" + "\n".join(errors))
    return rows
