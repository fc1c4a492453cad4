"""What an operator does with the cache: looks, counts, purges."""

import time
import unittest

import grpc
import numpy as np

import gemmd_specs as specs
from gemmd_daemon import DaemonTest, pb


class CacheTest(DaemonTest):
    def compile(self, name, value):
        """A kernel of its own for each value."""
        spec = specs.linear_spec(name, dims={"M": 8, "K": 40, "N": 24})
        spec["epilogue"][0]["value"] = value
        return self.stub.Compile(pb.CompileRequest(spec=specs.source_of(spec)))

    def kernels(self):
        return {kernel.plan_id: kernel for kernel in self.stub.ListKernels(pb.ListKernelsRequest()).kernels}

    def entries(self, key=""):
        return self.stub.ListCache(pb.ListCacheRequest(key_prefix=key)).entries

    def stats(self):
        return self.stub.GetStats(pb.GetStatsRequest())

    def purge(self, **selection):
        return self.stub.PurgeCache(pb.PurgeCacheRequest(**selection))

    def test_a_compiled_kernel_is_listed_with_its_hits(self):
        compiled = self.compile("listed", 1.5)
        for _ in range(3):
            self.compile("listed under another name", 1.5)
        kernel = self.kernels()[compiled.plan_id]
        self.assertEqual((kernel.tier, kernel.hits, kernel.arch), ("memory", 3, "sm_90a"))
        self.assertEqual((kernel.spec_id, kernel.cubin_key), (compiled.spec_id, compiled.cubin_keys[0]))
        self.assertIn("mul 1.5", kernel.summary)
        self.assertTrue(kernel.schedule.startswith(compiled.kernels[0].family))
        self.assertLess(abs(time.time() * 1000 - kernel.last_used_unix_ms), 60_000)
        self.assertEqual(list(kernel.loaded_on), [])

    def test_a_run_counts_and_leaves_its_kernel_loaded(self):
        before = {device.id: device for device in self.stats().devices}["host"]
        spec = specs.linear_spec("run")
        tensors = {"x": np.ones((2, 40), "f4"), "w": np.ones((40, 24), "f4"),
                   "bias": np.ones(24, "f4")}
        summary, _ = specs.collect_outputs(self.stub.Run(specs.run_requests(spec, tensors, {"M": 2}, {"alpha": 1})))
        after = {device.id: device for device in self.stats().devices}["host"]
        self.assertEqual(after.launches, before.launches + 1)
        self.assertGreater(after.loaded_kernels, 0)
        self.assertEqual(list(self.kernels()[summary.compile.plan_id].loaded_on), ["host"])

    def test_an_entry_on_disk_tells_what_made_it(self):
        compiled = self.compile("on disk", 2.5)
        entry, = self.entries(compiled.cubin_keys[0][:16])
        self.assertEqual((entry.cubin_key, entry.plan_id, entry.spec_id), (compiled.cubin_keys[0], compiled.plan_id, compiled.spec_id))
        self.assertEqual((entry.compile_us, entry.registers), (compiled.compile_us, compiled.registers))
        self.assertEqual((entry.arch, entry.damage, entry.verified), ("sm_90a", "", "unverified"))
        self.assertGreater(entry.bytes, compiled.cubin_bytes)

    def test_what_is_purged_is_compiled_again_and_nothing_else(self):
        kept, gone = self.compile("kept", 3.5), self.compile("gone", 4.5)
        purged = self.purge(cubin_key=gone.cubin_keys[0][:16])
        self.assertEqual((purged.disk_entries, purged.memory_kernels), (1, 1))
        self.assertNotIn(gone.plan_id, self.kernels())
        self.assertIn(kept.plan_id, self.kernels())
        before = self.stats().compiler.compiles
        self.assertEqual(self.compile("kept", 3.5).cache_tier, "memory")
        self.assertEqual(self.compile("gone", 4.5).cache_tier, "compiled")
        self.assertEqual(self.stats().compiler.compiles, before + 1)

    def test_the_young_survive_a_purge_by_age_and_nothing_survives_a_whole_one(self):
        self.compile("young", 5.5)
        self.assertEqual(self.purge(unused_for_seconds=3600).disk_entries, 0)
        self.assertGreater(self.purge(all=True).disk_entries, 0)
        self.assertEqual((len(self.kernels()), len(self.entries())), (0, 0))
        stats = self.stats()
        self.assertEqual((stats.memory.bytes, stats.disk.bytes), (0, 0))
        self.assertGreater(stats.disk.max_bytes, 0)

    def test_a_selection_must_be_one(self):
        for selection in ({}, {"cubin_key": ""}, {"all": False}, {"unused_for_seconds": -1}):
            self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda chosen=selection: self.purge(**chosen))
        self.assert_status(grpc.StatusCode.NOT_FOUND, lambda: self.purge(cubin_key="zz"), "zz")
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT,
                           lambda: self.stub.ListKernels(pb.ListKernelsRequest(limit=-1)), "limit")


if __name__ == "__main__":
    unittest.main()
