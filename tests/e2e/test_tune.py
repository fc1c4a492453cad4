"""Tuning: progress, cancelling, records that serve, also after a restart and on another daemon."""

import contextlib
import json
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile
import time
import unittest

import grpc

import gemmd_specs as specs
from gemmd_daemon import BINARY_DIR, SABOTAGED_DIR, Daemon, DaemonTest, pb
from sanitized import SANITIZED

SLOWER = 20 if SANITIZED else 1  # under a sanitizer one candidate alone can take longer than a search elsewhere
BUDGET_MS = 400 * SLOWER
BUDGET = f"{BUDGET_MS}ms"
NO_NVRTC = ("--nvrtc-dir", "/nonexistent")  # the host computes without, and a search then measures at once


def tune_request(spec, budget_ms=BUDGET_MS, **fields):
    return pb.TuneRequest(spec=specs.source_of(spec), budget_ms=budget_ms, **fields)


def tune(stub, spec, **fields):
    """The progress messages and the summary."""
    *progress, last = stub.Tune(tune_request(spec, **fields))
    assert all(message.HasField("progress") for message in progress)
    return [message.progress for message in progress], last.summary


def reasons(stub, spec):
    return list(stub.Plan(pb.PlanRequest(spec=specs.source_of(spec))).reasons)


def is_tuned(stub, spec):
    return any(reason.startswith("tuned at M") for reason in reasons(stub, spec))


class TuneTest(DaemonTest):
    FLAGS = NO_NVRTC

    def gemmctl(self, *arguments, spec=None, address=None):
        return subprocess.run([BINARY_DIR / "gemmctl", "--address", address or self.daemon.address, *arguments],
                              input=json.dumps(spec) if spec else None, capture_output=True, text=True, timeout=180,
                              check=False)

    def test_a_search_tells_how_far_it_is_and_ends_with_all_it_tried(self):
        spec = specs.linear_spec("progress")
        progress, summary = tune(self.stub, spec, dims={"M": 33})
        self.assertGreater(len(progress), 1)
        self.assertGreater(progress[-1].tried, 1)
        self.assertLessEqual(progress[-1].left_ms, progress[0].left_ms)
        self.assertGreater(progress[-1].first_pick_us, 0)
        self.assertEqual(summary.device, "host")
        winner = summary.candidates[summary.best]
        self.assertEqual((winner.state, winner.verified), ("won", True))
        self.assertLessEqual(winner.time_us, summary.candidates[0].time_us)
        self.assertLessEqual(summary.m_min, 33)
        self.assertGreaterEqual(summary.m_max, 33)
        self.assertLess(summary.elapsed_ms, 12 * BUDGET_MS)

    def test_a_search_may_open_with_more_than_the_ranking(self):
        spec = specs.linear_spec("wide")
        _, summary = tune(self.stub, spec, dims={"M": 64}, candidates=120, budget_ms=1500)
        self.assertGreaterEqual(len(summary.candidates), 120)
        families = {candidate.kernel.family for candidate in summary.candidates}
        self.assertLessEqual({"simt"}, families)
        self.assert_status(grpc.StatusCode.INVALID_ARGUMENT,
                           lambda: self.stub.Tune(tune_request(spec, dims={"M": 64}, candidates=-1)), "candidates")

    def test_the_record_serves_from_then_on(self):
        spec = specs.linear_spec("served", dims={"M": 48, "K": 40, "N": 24})
        self.assertFalse(is_tuned(self.stub, spec))
        _, summary = tune(self.stub, spec)
        self.assertTrue(is_tuned(self.stub, spec))
        self.assertFalse(is_tuned(self.stub, {**spec, "config": {"schedule": "simt"}}))
        listed = [record for record in self.stub.ListRecords(pb.ListRecordsRequest()).records
                  if record.spec_id == summary.spec_id]
        self.assertEqual([record.schedule for record in listed], [summary.candidates[summary.best].schedule])

    def test_a_search_that_is_cancelled_leaves_nothing(self):
        spec = specs.linear_spec("cancelled", dims={"M": 49, "K": 40, "N": 24})
        call = self.stub.Tune(tune_request(spec, budget_ms=60_000))
        next(call)
        started = time.monotonic()
        call.cancel()
        with self.assertRaises(grpc.RpcError):
            list(call)
        # The device is free again at once, for the next search.
        while True:
            try:
                tune(self.stub, specs.linear_spec("next"), dims={"M": 2})
                break
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
                self.assertLess(time.monotonic() - started, 10)
                time.sleep(0.05)
        self.assertFalse(is_tuned(self.stub, spec))

    def test_what_can_not_be_tuned_is_refused(self):
        def refused(spec, *needles, **fields):
            self.assert_status(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.stub.Tune(tune_request(spec, **fields)),
                               *needles)
        refused(specs.linear_spec(config={"schedule": "simt"}), "config", dims={"M": 2})
        refused(specs.linear_spec(), "M")
        refused(specs.linear_spec(), "nothing to compute", dims={"M": 0})
        refused(specs.linear_spec(), "budget", dims={"M": 2}, budget_ms=-1)
        self.assert_status(grpc.StatusCode.NOT_FOUND,
                           lambda: self.stub.Tune(tune_request(specs.linear_spec(), dims={"M": 2}, device="cuda:7")))

    def test_gemmctl_ends_with_a_table_and_the_gain(self):
        done = self.gemmctl("tune", "-", "--dim", "M=5", "--budget", BUDGET, spec=specs.linear_spec("shown"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for needle in ("SCHEDULE", "first pick, ", "candidates in", "recorded for", "serves from now on"):
            self.assertIn(needle, done.stdout)
        done = self.gemmctl("tune", "-", "--dim", "M=5", "--budget", BUDGET, "--json", spec=specs.linear_spec("shown"))
        report = json.loads(done.stdout)
        self.assertGreater(report["gain"], 0.5)
        self.assertEqual(report["best"]["state"], "won")
        self.assertEqual(report["candidates"][0], report["first_pick"])

    def test_gemmctl_shows_a_bar_on_a_terminal(self):
        ours, theirs = pty.openpty()
        command = [BINARY_DIR / "gemmctl", "--address", self.daemon.address, "tune", "-", "--dim", "M=6", "--budget",
                   BUDGET]
        done = subprocess.run(command, input=json.dumps(specs.linear_spec("bar")).encode(), stdout=subprocess.PIPE,
                              stderr=theirs, timeout=60, check=False)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal has no other end any more
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
        shown = shown.decode()
        self.assertEqual(done.returncode, 0)
        self.assertRegex(shown, r"tune \[#*-*\] \d+ of \d+ tried, best [\d.]+ us, first pick [\d.]+ us, [\d.]+ s left")
        self.assertTrue(shown.endswith("\r\x1b[K"), shown[-80:])

    def test_a_plan_is_explained_with_what_was_measured(self):
        spec = specs.linear_spec("explained", dims={"M": 52, "K": 40, "N": 24})
        before = json.loads(self.gemmctl("plan", "-", "--explain", "--json", spec=spec).stdout)["explanation"]
        self.assertEqual((before["m"], before["n"], before["k"], before["dtype"]), (52, 24, 40, "f32"))
        self.assertEqual(before["flop"], 2 * 52 * 24 * 40)
        self.assertEqual(before["factor_bytes"], 4 * (52 * 40 + 40 * 24))
        self.assertGreater(len(before["ranking"]), 2)
        self.assertTrue(all(ranked["predicted_cycles"] > 0 and ranked["measured_us"] == 0
                            for ranked in before["ranking"]))
        tune(self.stub, spec)
        after = json.loads(self.gemmctl("plan", "-", "--explain", "--json", spec=spec).stdout)["explanation"]
        self.assertGreater(after["ranking"][0]["measured_us"], 0)
        text = self.gemmctl("plan", "-", "--explain", spec=spec).stdout
        for needle in ("waits for: ", "ranking:   for every M", "PREDICTED", "kcycles"):
            self.assertIn(needle, text)

    def test_a_plan_is_explained_for_the_dims_of_a_launch(self):
        spec = specs.linear_spec("explained dims")
        report = json.loads(self.gemmctl("plan", "-", "--explain", "--dim", "M=3", "--json", spec=spec).stdout)
        self.assertEqual(report["explanation"]["m"], 3)
        self.assertLessEqual(report["explanation"]["m_min"], 3)
        self.assertEqual(json.loads(self.gemmctl("plan", "-", "--explain", "--json", spec=spec).stdout)["explanation"]["m"],
                         4096)
        self.assertEqual(self.gemmctl("plan", "-", "--dim", "M=3", spec=spec).returncode, 1)
        self.assertEqual(self.gemmctl("plan", "-", "--explain", "--dim", "L=3", spec=spec).returncode, 2)

    def test_a_budget_that_is_none_is_wrong_usage(self):
        for budget in ("5", "0s", "2h", "soon"):
            done = self.gemmctl("tune", "-", "--budget", budget, spec=specs.linear_spec())
            self.assertEqual(done.returncode, 1, budget)
            self.assertIn("--budget", done.stderr)

    def test_records_travel_to_another_daemon(self):
        spec = specs.linear_spec("traveller", dims={"M": 50, "K": 40, "N": 24})
        tune(self.stub, spec)
        with tempfile.TemporaryDirectory(prefix="gemmd_") as directory:
            file = pathlib.Path(directory, "records.json")
            done = self.gemmctl("records", "export", str(file))
            self.assertEqual(done.returncode, 0, done.stderr)
            other = Daemon(directory, *NO_NVRTC)
            try:
                self.assertFalse(is_tuned(other.stub, spec))
                done = self.gemmctl("records", "import", str(file), address=other.address)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("records taken", done.stdout)
                self.assertTrue(is_tuned(other.stub, spec))
                listed = json.loads(self.gemmctl("records", "list", "--json", address=other.address).stdout)["records"]
                self.assertEqual(len(listed), len(json.loads(file.read_text(encoding="utf-8"))["records"]))
            finally:
                self.assertEqual(other.stop(), 0)

    def test_what_are_no_records_is_refused_in_every_place(self):
        tune(self.stub, specs.linear_spec("exported"), dims={"M": 7})
        file = json.loads(self.gemmctl("records", "export", "-").stdout)
        file["records"][0]["time_ns"] = "fast"
        file["records"].append({})
        done = self.gemmctl("records", "import", "-", spec=file)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("records[0]: time_ns", done.stderr)
        self.assertIn(f"records[{len(file['records']) - 1}]", done.stderr)


class RecordsTest(unittest.TestCase):
    SPEC = specs.linear_spec("kept", dims={"M": 51, "K": 40, "N": 24})

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="gemmd_")
        self.addCleanup(shutil.rmtree, self.directory)

    def test_they_serve_after_a_restart(self):
        daemon = Daemon(self.directory, *NO_NVRTC)
        tune(daemon.stub, self.SPEC)
        self.assertEqual(daemon.stop(), 0)
        daemon = Daemon(self.directory, *NO_NVRTC)
        self.assertTrue(is_tuned(daemon.stub, self.SPEC))
        self.assertEqual(daemon.stop(), 0)

    def test_a_damaged_file_costs_the_records_alone(self):
        file = pathlib.Path(self.directory, "elsewhere.db")
        file.write_bytes(b"x" * 8192)
        daemon = Daemon(self.directory, *NO_NVRTC, "--tuning-records", str(file))
        self.assertIn("tuning records begin anew", daemon.log())
        _, summary = tune(daemon.stub, self.SPEC)
        self.assertEqual(summary.not_recorded, "")
        self.assertTrue(is_tuned(daemon.stub, self.SPEC))
        self.assertEqual(daemon.stop(), 0)

    def test_without_a_file_they_last_as_long_as_the_daemon(self):
        missing = pathlib.Path(self.directory, "missing", "tuning.db")
        daemon = Daemon(self.directory, *NO_NVRTC, "--tuning-records", str(missing))
        _, summary = tune(daemon.stub, self.SPEC)
        self.assertIn("tuning.db", summary.not_recorded)
        self.assertTrue(is_tuned(daemon.stub, self.SPEC))
        self.assertEqual(daemon.stop(), 0)

    def test_candidates_are_compiled_for_the_host_too(self):
        daemon = Daemon(self.directory)
        _, summary = tune(daemon.stub, self.SPEC, budget_ms=8000)
        self.assertTrue(summary.candidates[summary.best].verified)
        self.assertGreater(daemon.stub.GetStats(pb.GetStatsRequest()).compiler.compiles, 1)
        self.assertEqual(daemon.stop(), 0)

    def test_a_drain_ends_a_search_in_time(self):
        daemon = Daemon(self.directory, *NO_NVRTC, "--drain-ms", "200")
        call = daemon.stub.Tune(tune_request(self.SPEC, budget_ms=60_000))
        next(call)
        started = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - started, 10)

    def test_a_search_goes_on_after_a_candidate_costs_the_worker(self):
        orders = pathlib.Path(self.directory, "orders")
        orders.mkdir()
        daemon = Daemon(self.directory, *NO_NVRTC, binaries=SABOTAGED_DIR,
                        environment=dict(os.environ, GEMMD_SABOTAGE=str(orders)))
        call = daemon.stub.Tune(tune_request(self.SPEC, budget_ms=3000 * SLOWER))
        for message in call:
            if message.progress.tried >= 2:
                break
        (orders / "crash").touch()
        *_, last = call
        self.assertEqual([c.state for c in last.summary.candidates if "SIGABRT" in c.rejection], ["rejected"])
        self.assertTrue(is_tuned(daemon.stub, self.SPEC))
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
