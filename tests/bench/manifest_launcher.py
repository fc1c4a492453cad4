"""Launches what gemmd hands out, manifest and cubin, in this process: the client-side half of the service.

Tensors are given as integers (device addresses), in the order of the manifest's names. Needs a current CUDA context.
"""

import json
import pathlib
import struct

from cuda_driver import Kernel, encode_tensor_map

_FORMATS = {
    "input_pointer": "Q",
    "output_pointer": "Q",
    "input_ld": "q",
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
        launches = [self._prepare_step(step, shape, pointers, scalars or {}) for step in variants[0]["launches"]]

        def run(stream):
            for kernel, grid, block, parameters in launches:
                kernel.launch(grid, block, parameters, stream)

        return run

    def _prepare_step(self, step, shape, pointers, scalars):
        parameters = bytearray(step["param_bytes"])
        for field in step["params"]:
            if field["kind"] == "tensor_map":
                recipe = step["tensor_maps"][field["index"]]
                encoded = self._encode_map(recipe, shape, pointers)
                parameters[field["offset_bytes"] : field["offset_bytes"] + len(encoded)] = encoded
                continue
            value = self._value(field, shape, pointers, scalars)
            struct.pack_into("<" + _FORMATS[field["kind"]], parameters, field["offset_bytes"], value)
        grid = step["grid"]
        tiles = -(-shape["m"] // grid["tile_m"]) * -(-shape["n"] // grid["tile_n"])
        if grid["ctas_per_sm"]:
            tiles = min(tiles, grid["ctas_per_sm"] * self._sm_count)
        block = step["block"]
        return self._kernels[step["module"]], (tiles, 1, 1), (block["x"], block["y"], block["z"]), bytes(parameters)

    def _value(self, field, shape, pointers, scalars):
        kind = field["kind"]
        if kind in shape:
            return shape[kind]
        side = "outputs" if kind.startswith("output") else "inputs"
        tensor = self.manifest[side][field["index"]]
        if kind.endswith("pointer"):
            return pointers[tensor["name"]]
        if kind == "scalar":
            return scalars[tensor["name"]]
        return self._lines(tensor, shape)[1]

    def _lines(self, tensor, shape):
        """(lines, elements of a line) of a contiguous matrix."""
        extents = shape | {"n/2": shape["n"] // 2}
        rows, columns = (extents[extent] for extent in tensor["extents"].lower().split(","))
        return (rows, columns) if tensor["layout"] == "row_major" else (columns, rows)

    def _encode_map(self, recipe, shape, pointers):
        tensor = self.manifest["inputs"][recipe["input"]]
        lines, line = self._lines(tensor, shape)
        box = (recipe["box_contiguous"], recipe["box_lines"])
        return encode_tensor_map(self._driver, tensor["dtype"], pointers[tensor["name"]], (line, lines), box,
                                 recipe["swizzle_bytes"])
