"""Launches what gemmd hands out, manifest and cubin, in this process: the client-side half of the service.

Tensors are given as integers (device addresses), in the order of the manifest's names. Needs a current CUDA context.
"""

import json
import pathlib
import struct

import torch

from cuda_driver import Kernel, encode_tensor_map

_ELEMENT_BYTES = {"f32": 4, "f16": 2, "bf16": 2}
_FORMATS = {
    "input_pointer": "Q",
    "output_pointer": "Q",
    "input_ld": "q",
    "intermediate_pointer": "Q",
    "intermediate_ld": "q",
    "output_ld": "q",
    "scalar": "f",
    "m": "i",
    "n": "i",
    "k": "i",
}


class ManifestLauncher:
    """One compiled plan, from the directory that `gemmctl compile --output-dir` wrote."""

    def __init__(self, driver, directory, sm_count):
        self._driver, self._sm_count = driver, sm_count
        directory = pathlib.Path(directory)
        self.manifest = json.loads((directory / "manifest.json").read_text())
        modules = len(self.manifest["cubin_keys"])
        names = ["kernel.cubin"] if modules == 1 else [f"kernel_{i}.cubin" for i in range(modules)]
        cubins = [(directory / name).read_bytes() for name in names]
        self._kernels = {}
        for variant in self.manifest["variants"]:
            for step in variant["launches"]:
                self._kernels[step["module"]] = Kernel(driver, cubins[step["module"]], step["entry"],
                                                       step["shared_bytes"])

    def prepare(self, shape, pointers, scalars=None):
        """A function of a stream (an integer) that launches on contiguous tensors.

        shape: {"m", "n", "k"} in elements; pointers: {name: address}; scalars: {name: float}.
        Raises KeyError for a missing tensor, ValueError where no variant takes the shape.
        """
        variants = [v for v in self.manifest["variants"] if v["m_min"] <= shape["m"] <= v["m_max"]]
        if not variants:
            raise ValueError(f"no variant takes M = {shape['m']}")
        memory = [self._allocate(tensor, shape) for tensor in self.manifest["intermediates"]]
        arguments = _Arguments(shape, pointers, scalars or {}, [tensor.data_ptr() for tensor in memory])
        steps = [self._prepare_step(step, arguments) for step in variants[0]["launches"]]
        launches = [step for step in steps if step[1][0] > 0]

        def run(stream, _memory=memory):
            for kernel, grid, block, parameters in launches:
                kernel.launch(grid, block, parameters, stream)

        return run

    def _prepare_step(self, step, arguments):
        parameters = bytearray(step["param_bytes"])
        for field in step["params"]:
            if field["kind"] == "tensor_map":
                recipe = step["tensor_maps"][field["index"]]
                encoded = self._encode_map(recipe, arguments)
                parameters[field["offset_bytes"] : field["offset_bytes"] + len(encoded)] = encoded
                continue
            value = self._value(field, arguments)
            struct.pack_into("<" + _FORMATS[field["kind"]], parameters, field["offset_bytes"], value)
        grid = step["grid"]
        rows, columns = (arguments.shape[grid[side].lower()] for side in ("rows", "columns"))
        tiles = -(-rows // grid["tile_m"]) * -(-columns // grid["tile_n"])
        if grid["ctas_per_sm"]:
            tiles = min(tiles, grid["ctas_per_sm"] * self._sm_count)
        block = step["block"]
        return self._kernels[step["module"]], (tiles, 1, 1), (block["x"], block["y"], block["z"]), bytes(parameters)

    def _value(self, field, arguments):
        kind, index = field["kind"], field["index"]
        if kind in arguments.shape:
            return arguments.shape[kind]
        if kind == "intermediate_pointer":
            return arguments.intermediates[index]
        if kind == "intermediate_ld":
            return self._padded(self.manifest["intermediates"][index], arguments.shape)[1]
        side = "outputs" if kind.startswith("output") else "inputs"
        tensor = self.manifest[side][index]
        if kind.endswith("pointer"):
            return arguments.pointers[tensor["name"]]
        if kind == "scalar":
            return arguments.scalars[tensor["name"]]
        return self._lines(tensor, arguments.shape)[1]

    def _lines(self, tensor, shape):
        """(lines, elements of a line) of a matrix."""
        extents = shape | {"n/2": shape["n"] // 2}
        rows, columns = (extents[extent] for extent in tensor["extents"].lower().split(","))
        return (rows, columns) if tensor["layout"] == "row_major" else (columns, rows)

    def _padded(self, tensor, shape):
        """(lines, leading dimension) of an intermediate: its lines start on 16 bytes."""
        lines, elements = self._lines(tensor, shape)
        step = 16 // _ELEMENT_BYTES[tensor["dtype"]]
        return lines, -(-elements // step) * step

    def _allocate(self, tensor, shape):
        lines, leading_dimension = self._padded(tensor, shape)
        element_bytes = _ELEMENT_BYTES[tensor["dtype"]]
        return torch.empty(max(lines * leading_dimension * element_bytes, 1), dtype=torch.uint8, device="cuda")

    def _encode_map(self, recipe, arguments):
        inputs, index = self.manifest["inputs"], recipe["input"]
        box = (recipe["box_contiguous"], recipe["box_lines"])
        if index < len(inputs):
            tensor = inputs[index]
            address = arguments.pointers[tensor["name"]]
            lines, elements = self._lines(tensor, arguments.shape)
            leading_dimension = elements
        else:
            tensor = self.manifest["intermediates"][index - len(inputs)]
            address = arguments.intermediates[index - len(inputs)]
            lines, elements = self._lines(tensor, arguments.shape)
            leading_dimension = self._padded(tensor, arguments.shape)[1]
        return encode_tensor_map(self._driver, tensor["dtype"], address, (elements, lines), leading_dimension, box,
                                 recipe["swizzle_bytes"])


class _Arguments:
    """What one launch is given: extents, addresses by name, scalars by name, addresses of the intermediates."""

    def __init__(self, shape, pointers, scalars, intermediates):
        self.shape, self.pointers, self.scalars, self.intermediates = shape, pointers, scalars, intermediates
