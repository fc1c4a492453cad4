"""The tree keeps the house rules, and the checker sees each kind of violation when one is planted."""

import pathlib
import tempfile
import unittest

import include_arrows

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A small tree in order: one file for each way a rule may be met.
ORDERLY = {
    "CMakeLists.txt": "",
    "src/base/status.h": "#include <string>\n",
    "src/spec/dtype.h": '#include "base/status.h"\n',
    "src/plan/plan.h": '#include "spec/dtype.h"\n',
    "src/compile/nvrtc.cc": '#include <nvrtc.h>\n#include "kernels_src/embedded.h"\n',
    "src/cache/store.h": '#include "spec/dtype.h"\n',
    "src/cuda/driver.cc": "#include <cuda.h>\n",
    "src/runtime/worker.cc": '#include "cuda/driver.cc"\n#include "gemmd/v1/worker.pb.h"\n',
    "src/engine/engine.h": '#include "plan/plan.h"\n',
    "kernels_src/embedded.h": "",
    "kernels_src/arch/ptx.cuh": "",
    "kernels_src/schedule/mma.cuh": '#include "arch/ptx.cuh"\n',
    "server/service.cc": '#include <grpcpp/server.h>\n#include "engine/engine.h"\n',
    "client/client.cc": '#include "gemmd/v1/service.grpc.pb.h"\n#include "spec/dtype.h"\n',
    "tests/unit/plan/plan_test.cc": '#include "engine/engine.h"\n',
    "build/release/generated.cc": "\n" * 1000,
}

# What is planted, and what the checker's line must name.
PLANTED = {
    "spec/upward": ("src/spec/a.h", '#include "plan/plan.h"\n', "src/spec includes plan/plan.h"),
    "plan/edge": ("src/plan/a.cc", '#include "server/service.cc"\n', "src/plan includes server/service.cc"),
    "compile/cache": ("src/compile/a.cc", '#include "cache/store.h"\n', "src/compile includes cache/store.h"),
    "cache/cuda": ("src/cache/a.cc", '#include "cuda/driver.cc"\n', "src/cache includes cuda/driver.cc"),
    "relative": ("src/base/a.h", '#include "../spec/dtype.h"\n', "src/base includes ../spec/dtype.h"),
    "client/engine": ("client/a.cc", '#include "engine/engine.h"\n', "client includes engine/engine.h"),
    "product/tests": ("src/plan/a.cc", '#include "tests/unit/plan/plan_test.cc"\n', "no part of the product"),
    "cuda.h": ("src/runtime/a.cc", "#  include <cuda.h>\n", "only src/cuda may include cuda.h"),
    "nvrtc.h": ("src/engine/a.cc", "#include <nvrtc.h>\n", "only src/compile may include nvrtc.h"),
    "grpc": ("src/engine/a.cc", "#include <grpcpp/grpcpp.h>\n", "may include grpcpp/grpcpp.h"),
    "grpc stubs": ("src/runtime/a.cc", '#include "gemmd/v1/service.grpc.pb.h"\n', "only client, server may"),
    "proto": ("src/engine/a.h", '#include "gemmd/v1/service.pb.h"\n', "may include gemmd/v1/service.pb.h"),
    "device header": ("kernels_src/arch/a.cuh", "#include <cuda_fp16.h>\n", "which is not its own"),
    "long file": ("src/plan/a.cc", "\n" * 501, "501 lines, over 500"),
    "top level": ("notes/a.md", "", "notes: is not in the house"),
}


def write_tree(root, files):
    for name, text in files.items():
        path = pathlib.Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class IncludeArrowsTest(unittest.TestCase):
    def test_the_tree_keeps_the_rules(self):
        self.assertEqual(include_arrows.violations(ROOT), [])

    def test_an_orderly_tree_has_no_violation(self):
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, ORDERLY)
            self.assertEqual(include_arrows.violations(root), [])

    def test_each_planted_violation_is_caught_alone(self):
        for name, (path, text, expected) in PLANTED.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as root:
                write_tree(root, ORDERLY | {path: text})
                found = include_arrows.violations(root)
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])


if __name__ == "__main__":
    unittest.main()
