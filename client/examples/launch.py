#!/usr/bin/env python3
"""silu(x @ w + bias) with libgemmd, compiled for any number of rows and launched on PyTorch's tensors and stream.

Where there is no GPU or no PyTorch the kernel is compiled for sm_90a all the same, and the launch is skipped.

Usage: launch.py [NVRTC_DIR]; by default NVRTC is looked for where it usually is.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import gemmd  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

SPEC = {
    "version": 1,
    "dims": {"M": "dynamic", "K": 512, "N": 1024},
    "inputs": {"x": {"dtype": "bf16", "shape": ["M", "K"]}, "w": {"dtype": "bf16", "shape": ["K", "N"]},
               "bias": {"dtype": "bf16", "shape": ["N"]}},
    "matmul": {"a": "x", "b": "w"},
    "epilogue": [{"op": "add", "operand": "bias"}, {"op": "silu"}, {"op": "store", "output": "out", "dtype": "bf16"}],
}


def launch(kernel, rows):
    """Launches on PyTorch's current stream; returns the largest error beside PyTorch's own result."""
    x, w, bias = (torch.randn(shape, device="cuda", dtype=torch.bfloat16)
                  for shape in ((rows, 512), (512, 1024), (1024,)))
    out = torch.empty(rows, 1024, device="cuda", dtype=torch.bfloat16)
    workspace = torch.empty(kernel.workspace_bytes(m=rows), device="cuda", dtype=torch.uint8)
    tensors = {"x": x.data_ptr(), "w": w.data_ptr(), "bias": bias.data_ptr(), "out": out.data_ptr()}
    run = kernel.prepare(tensors, m=rows, workspace=workspace.data_ptr(), workspace_bytes=workspace.numel())
    run(torch.cuda.current_stream().cuda_stream)
    expected = torch.nn.functional.silu(x.float() @ w.float() + bias.float())
    return (out.float() - expected).abs().max().item()


def main(nvrtc_dir=None):
    has_gpu = torch is not None and torch.cuda.is_available()
    if has_gpu:
        torch.cuda.init()
        torch.zeros(1, device="cuda")  # makes the context
    kernel = gemmd.Compiler(nvrtc_dir=nvrtc_dir).compile(SPEC, arch=None if has_gpu else "sm_90a")
    print(kernel.report["summary"])
    print(f"{len(kernel.report['kernels'])} kernels for {kernel.report['arch']}; 300 rows need "
          f"{kernel.workspace_bytes(m=300)} bytes of workspace")
    if not has_gpu:
        print("no GPU, or no PyTorch: the launch is skipped")
        return 0
    error = launch(kernel, rows=300)
    print(f"launched: the largest error is {error:.3g}")
    return 0 if error < 0.5 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
