"""The few driver API calls that a launcher of gemmd's cubins needs, through ctypes.

The process must already have a current context (PyTorch's, say); nothing here creates one.
"""

import ctypes

_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES


class Driver:
    """libcuda.so.1, with every result checked. Raises RuntimeError naming the call."""

    def __init__(self):
        self._lib = ctypes.CDLL("libcuda.so.1")

    def call(self, name, *arguments):
        code = getattr(self._lib, name)(*arguments)
        if code != 0:
            text = ctypes.c_char_p()
            self._lib.cuGetErrorName(code, ctypes.byref(text))
            raise RuntimeError(f"{name}: {text.value.decode() if text.value else code}")


class Kernel:
    """One entry of a cubin. Keeps its module loaded."""

    def __init__(self, driver, cubin, entry, shared_bytes):
        self._driver = driver
        self._shared_bytes = shared_bytes
        self._module = ctypes.c_void_p()
        self._function = ctypes.c_void_p()
        driver.call("cuModuleLoadData", ctypes.byref(self._module), cubin)
        driver.call("cuModuleGetFunction", ctypes.byref(self._function), self._module, entry.encode())
        driver.call("cuFuncSetAttribute", self._function, _MAX_DYNAMIC_SHARED, shared_bytes)

    def launch(self, grid, block, parameters, stream):
        """Launches with `parameters` (bytes) as the one by-value argument. Does not wait."""
        buffer = ctypes.create_string_buffer(parameters, len(parameters))
        arguments = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))
        self._driver.call(
            "cuLaunchKernel", self._function, *grid, *block, self._shared_bytes, ctypes.c_void_p(stream), arguments, None
        )


_MAP_BYTES, _MAP_ALIGNMENT = 128, 64
_MAP_TYPES = {"f16": (6, 2), "f32": (7, 4), "bf16": (9, 2)}  # CUtensorMapDataType, bytes of an element
_MAP_SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}
_L2_PROMOTION_256B = 3


def encode_tensor_map(driver, dtype, address, extents, leading_dimension, box, swizzle_bytes):
    """The bytes of a matrix's tensor map; all but the swizzle in elements, the contiguous dimension first."""
    memory = ctypes.create_string_buffer(_MAP_BYTES + _MAP_ALIGNMENT)
    aligned = -(-ctypes.addressof(memory) // _MAP_ALIGNMENT) * _MAP_ALIGNMENT
    data_type, element_bytes = _MAP_TYPES[dtype]
    driver.call(
        "cuTensorMapEncodeTiled", ctypes.c_void_p(aligned), data_type, 2, ctypes.c_void_p(address),
        (ctypes.c_uint64 * 2)(*extents), (ctypes.c_uint64 * 1)(leading_dimension * element_bytes), (ctypes.c_uint32 * 2)(*box),
        (ctypes.c_uint32 * 2)(1, 1), 0, _MAP_SWIZZLES[swizzle_bytes], _L2_PROMOTION_256B, 0)
    return ctypes.string_at(aligned, _MAP_BYTES)
