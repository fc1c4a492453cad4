"""libgemmd through ctypes: kernels compiled in this process and launched on device memory that it already has.

Needs nothing but libgemmd.so. With PyTorch: addresses are tensor.data_ptr(), streams torch.cuda.Stream.cuda_stream, and
torch.cuda.init() makes the context that Compiler.compile loads into.
"""

import ctypes
import json
import pathlib
import typing

OF_SPEC = -1  # an extent that the spec has as a literal
_HERE = pathlib.Path(__file__).resolve().parent
# In an unpacked package, in a build tree, and wherever the dynamic linker finds it.
_CANDIDATES = (_HERE / "../../../lib/libgemmd.so.1", _HERE / "../../build/release/lib/libgemmd.so.1")


class Error(RuntimeError):
    """What a call failed with: code, such as "INVALID_ARGUMENT", and the text that the daemon would give."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Tensor(typing.NamedTuple):
    """Device memory of one tensor. leading_dimension in elements; 0: its lines follow one another."""

    address: int
    leading_dimension: int = 0


class _CompilerOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("nvrtc_dir", ctypes.c_char_p), ("cache_dir", ctypes.c_char_p),
                ("cache_bytes", ctypes.c_int64), ("memory_bytes", ctypes.c_int64)]


class _Alignment(ctypes.Structure):
    _fields_ = [("tensor", ctypes.c_char_p), ("bytes", ctypes.c_int64)]


class _CompileOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("arch", ctypes.c_char_p), ("alignments", ctypes.POINTER(_Alignment)),
                ("alignment_count", ctypes.c_size_t), ("timeout_ms", ctypes.c_int64)]


class _Cubin(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class _Shape(ctypes.Structure):
    _fields_ = [("m", ctypes.c_int64), ("n", ctypes.c_int64), ("k", ctypes.c_int64)]


class _Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("leading_dimension", ctypes.c_int64), ("scalar", ctypes.c_float)]


class _LaunchArguments(ctypes.Structure):
    _fields_ = [("shape", _Shape), ("inputs", ctypes.POINTER(_Tensor)), ("input_count", ctypes.c_size_t),
                ("outputs", ctypes.POINTER(_Tensor)), ("output_count", ctypes.c_size_t),
                ("workspace", ctypes.c_void_p), ("workspace_bytes", ctypes.c_int64)]


_ERROR = ctypes.POINTER(ctypes.c_void_p)
_HANDLE = ctypes.c_void_p
_SIGNATURES = {
    "gemmd_version": (ctypes.c_char_p, []),
    "gemmd_code_name": (ctypes.c_char_p, [ctypes.c_int]),
    "gemmd_free": (None, [ctypes.c_void_p]),
    "gemmd_compiler_create": (ctypes.c_int, [ctypes.POINTER(_CompilerOptions), ctypes.POINTER(_HANDLE), _ERROR]),
    "gemmd_compiler_destroy": (None, [_HANDLE]),
    "gemmd_compile": (ctypes.c_int, [_HANDLE, ctypes.c_char_p, ctypes.POINTER(_CompileOptions),
                                     ctypes.POINTER(_HANDLE), _ERROR]),
    "gemmd_load": (ctypes.c_int, [ctypes.c_char_p, ctypes.POINTER(_Cubin), ctypes.c_size_t, ctypes.POINTER(_HANDLE),
                                  _ERROR]),
    "gemmd_kernel_destroy": (None, [_HANDLE]),
    "gemmd_kernel_cubin_count": (ctypes.c_size_t, [_HANDLE]),
    "gemmd_kernel_cubin": (_Cubin, [_HANDLE, ctypes.c_size_t]),
    "gemmd_kernel_manifest": (ctypes.c_char_p, [_HANDLE]),
    "gemmd_kernel_report": (ctypes.c_char_p, [_HANDLE]),
    "gemmd_kernel_workspace_bytes": (ctypes.c_int, [_HANDLE, _Shape, ctypes.POINTER(ctypes.c_int64), _ERROR]),
    "gemmd_launch": (ctypes.c_int, [_HANDLE, ctypes.POINTER(_LaunchArguments), ctypes.c_void_p, _ERROR]),
}


class Library:
    """libgemmd.so, loaded. path: the file; None: from the package or the build tree that this file is in."""

    def __init__(self, path=None):
        found = [str(candidate.resolve()) for candidate in _CANDIDATES if candidate.exists()]
        self._lib = ctypes.CDLL(str(path) if path else (found + ["libgemmd.so.1"])[0])
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._lib, name)
            function.restype, function.argtypes = result, arguments

    def __getattr__(self, name):
        return getattr(self._lib, "gemmd_" + name)

    def check(self, name, *arguments):
        """Calls gemmd_<name> with the arguments and a place for its error. Raises Error."""
        text = ctypes.c_void_p()
        code = getattr(self, name)(*arguments, ctypes.byref(text))
        if code == 0:
            return
        message = ctypes.string_at(text.value).decode() if text.value else ""
        self.free(text)
        raise Error(self.code_name(code).decode(), message)


class Compiler:
    """NVRTC and its caches; one is enough for a process. Thread-safe."""

    def __init__(self, library=None, nvrtc_dir=None, cache_dir=None):
        self._library = library or Library()
        options = _CompilerOptions(ctypes.sizeof(_CompilerOptions), _encoded(nvrtc_dir), _encoded(cache_dir), 0, 0)
        self._handle = _HANDLE()
        self._library.check("compiler_create", ctypes.byref(options), ctypes.byref(self._handle))

    def __del__(self):
        if getattr(self, "_handle", None):
            self._library.compiler_destroy(self._handle)

    def compile(self, spec, arch=None, alignments=None, timeout_ms=0):
        """A Kernel. spec: a dict, or JSON text; arch: None for the device of the current context, or a name such as
        "sm_90a", without a device; alignments: {tensor: bytes} that every launch keeps. Raises Error."""
        text = spec if isinstance(spec, str) else json.dumps(spec)
        promised = [_Alignment(name.encode(), count) for name, count in (alignments or {}).items()]
        options = _CompileOptions(ctypes.sizeof(_CompileOptions), _encoded(arch),
                                  (_Alignment * len(promised))(*promised), len(promised), timeout_ms)
        handle = _HANDLE()
        self._library.check("compile", self._handle, text.encode(), ctypes.byref(options), ctypes.byref(handle))
        return Kernel(self._library, handle)


def load(manifest, cubins, library=None):
    """A Kernel that was compiled elsewhere, in the current context. manifest: its JSON; cubins: a list of bytes.
    Raises Error."""
    library = library or Library()
    entries = [_Cubin(ctypes.cast(ctypes.c_char_p(cubin), ctypes.c_void_p), len(cubin)) for cubin in cubins]
    handle = _HANDLE()
    library.check("load", manifest.encode(), (_Cubin * len(entries))(*entries), len(entries), ctypes.byref(handle))
    return Kernel(library, handle)


class Kernel:
    """A compiled spec. manifest and report: what gemmd.h says of them, parsed; the report of a loaded one is None.
    Thread-safe."""

    def __init__(self, library, handle):
        self._library, self._handle = library, handle
        self.manifest = json.loads(library.kernel_manifest(handle))
        report = library.kernel_report(handle)
        self.report = None if report is None else json.loads(report)

    def cubins(self):
        """The machine code, by the manifest's cubin_keys: what load takes."""
        cubins = [self._library.kernel_cubin(self._handle, i)
                  for i in range(self._library.kernel_cubin_count(self._handle))]
        return [ctypes.string_at(cubin.bytes, cubin.size) for cubin in cubins]

    def __del__(self):
        self._library.kernel_destroy(self._handle)

    def workspace_bytes(self, m=OF_SPEC, n=OF_SPEC, k=OF_SPEC):
        """Bytes of device memory that a launch of that shape needs for itself. Raises Error."""
        count = ctypes.c_int64()
        self._library.check("kernel_workspace_bytes", self._handle, _Shape(m, n, k), ctypes.byref(count))
        return count.value

    def prepare(self, tensors, scalars=None, m=OF_SPEC, n=OF_SPEC, k=OF_SPEC, workspace=0, workspace_bytes=0):
        """A function of a stream (an integer) that launches; cheap, and it may be captured in a CUDA graph.

        tensors: {name: Tensor or address}; scalars: {name: float}; workspace: a device address.
        Raises KeyError for a missing tensor; the function raises Error.
        """
        inputs = self._tensors("inputs", tensors, scalars or {})
        outputs = self._tensors("outputs", tensors, scalars or {})
        arguments = _LaunchArguments(_Shape(m, n, k), inputs, len(inputs), outputs, len(outputs), workspace,
                                     workspace_bytes)

        def launch(stream=0):
            self._library.check("launch", self._handle, ctypes.byref(arguments), stream)

        return launch

    def _tensors(self, side, tensors, scalars):
        entries = []
        for tensor in self.manifest[side]:
            name = tensor["name"]
            if tensor["extents"] == "":
                entries.append(_Tensor(None, 0, scalars[name]))
                continue
            given = tensors[name]
            given = given if isinstance(given, Tensor) else Tensor(given)
            entries.append(_Tensor(given.address, given.leading_dimension, 0))
        return (_Tensor * len(entries))(*entries)


def _encoded(text):
    return None if text is None else str(text).encode()
