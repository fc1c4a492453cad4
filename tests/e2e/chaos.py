"""Chaos: many clients on mixed work while device workers are killed, stopped, made to hang, fault and crash, compile workers
are killed, cache entries damaged, clients killed in the middle of a transfer, and the daemon killed and restarted.

Counts what must not be: results that are wrong, acknowledged buffers that were lost without a death to blame, what is
left behind at the end, and calls that failed with a status that the README does not give for it.

    chaos.py --minutes 5 --output chaos.json --commit HASH

GEMMD_BINARY_DIR and GEMMD_PROTO_DIR as for the tests beside it.
"""

import argparse
import collections
import contextlib
import datetime
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request

import grpc

import chaos_work
from gemmd_daemon import SABOTAGED_DIR, Daemon, pb
from sabotage import Orders
from sanitized import SANITIZED

LAUNCH_TIMEOUT_MS = 20_000 if SANITIZED else 3000
FLAGS = ("--launch-timeout-ms", str(LAUNCH_TIMEOUT_MS), "--quarantine-faults", "3", "--compile-workers", "2",
         "--drain-ms", "2000", "--log-level", "warning")
WAIT_S = 60
CALM_S = (0.6, 1.4)  # between two acts
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 20),
                   ("grpc.min_reconnect_backoff_ms", 5000), ("grpc.max_reconnect_backoff_ms", 200)]
IDLE_FD_SLACK = 4  # gRPC opens a few of its own with the first connections


class Record:
    """What happened, over all threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self.calls = 0
        self.statuses = collections.Counter()
        self.faults = collections.defaultdict(list)  # wrong, lost, leaked, wrong_status, harness: texts
        self.acts = collections.Counter()
        self.recoveries_s = []  # as a client sees them
        self.worker_recoveries = collections.Counter()  # as the daemon has them in /metrics

    def called(self, status):
        with self._lock:
            self.calls += 1
            self.statuses[status] += 1

    def blame(self, kind, text):
        with self._lock:
            self.faults[kind].append(text)
            if len(self.faults[kind]) <= 5:
                print(f"chaos: {kind}: {text}", file=sys.stderr, flush=True)


class Deaths:
    """When the device's worker or the daemon was down, or about to be: only then a buffer may be lost."""

    def __init__(self):
        self._lock = threading.Lock()
        self._spans = []  # [begin, end or None, whether the daemon itself went]

    @contextlib.contextmanager
    def span(self, daemon=False):
        span = [time.monotonic(), None, daemon]
        with self._lock:
            self._spans.append(span)
        yield
        with self._lock:
            span[1] = time.monotonic()

    def since(self, moment, daemon=False):
        """Whether there was one at any time after `moment`."""
        with self._lock:
            return any((end is None or end >= moment) and (of_daemon or not daemon) for _, end, of_daemon in self._spans)


class Chaos:
    def __init__(self, directory, clients, seed):
        self.directory = pathlib.Path(directory)
        self.orders = Orders(directory)
        self.record = Record()
        self.deaths = Deaths()
        self.stopping = threading.Event()
        self.random = random.Random(seed)
        self.clients = clients
        self.machine_code = {}  # the first of each cubin_key
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.metrics_port = probe.getsockname()[1]
        self.daemon = self._start()
        self.victim = chaos_work.VICTIM.spec_id(self.daemon.stub)
        for work in chaos_work.WORKS:  # so that there are entries to damage from the start
            self.daemon.stub.Compile(pb.CompileRequest(spec=chaos_work.specs.source_of(work.spec)), timeout=WAIT_S)
        self.idle_fds = self._idle_fds()

    def _start(self):
        return Daemon(self.directory, *FLAGS, "--metrics-address", str(self.metrics_port), environment=self.orders.environment, binaries=SABOTAGED_DIR)

    def _keep_metrics(self):
        """Before the daemon goes: how soon its device's workers were replaced."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=WAIT_S) as answer:
            text = answer.read().decode()
        name = 'gemmd_device_recovery_duration_seconds_bucket{device="host",le="%s"} '
        for bound, key in (("1", "within_1s"), ("+Inf", "count")):
            line, = [line for line in text.splitlines() if line.startswith(name % bound)]
            self.record.worker_recoveries[key] += int(line.split()[-1])

    def connect(self):
        return grpc.insecure_channel(self.daemon.address, CHANNEL_OPTIONS)

    # -- What is done to it ------------------------------------------------------------------------------------------

    def _worker(self):
        """The process id of the device's worker, once there is one."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            workers = self.daemon.workers("gemmd_device_worker")
            if workers:
                return workers[0]
            time.sleep(0.005)
        raise AssertionError("the device has no worker")

    def _await_serving(self, began):
        """Until a call on the device is served by another worker; records how long that took since `began`."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                buffer = self.daemon.stub.CreateBuffer(pb.CreateBufferRequest(device="host", bytes=64), timeout=WAIT_S)
                self.daemon.stub.FreeBuffer(pb.FreeBufferRequest(buffer=buffer.buffer), timeout=WAIT_S)
                break
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        self.record.recoveries_s.append(time.monotonic() - began)

    def _end_worker(self, signal_number, waits_for_watchdog):
        with self.deaths.span():
            worker = self._worker()
            os.kill(worker, signal_number)
            began = time.monotonic()
            if waits_for_watchdog:
                while worker in self.daemon.workers("gemmd_device_worker"):
                    time.sleep(0.005)
                began = time.monotonic()
            self._await_serving(began)

    def kill_device_worker(self):
        self._end_worker(signal.SIGKILL, waits_for_watchdog=False)

    def stop_device_worker(self):
        self._end_worker(signal.SIGSTOP, waits_for_watchdog=True)

    def _order(self, kind):
        self.daemon.stub.ReleaseQuarantine(pb.ReleaseQuarantineRequest(all=True), timeout=WAIT_S)
        with self.deaths.span():
            worker = self._worker()
            order = self.orders.give(kind, self.victim)
            deadline = time.monotonic() + 10
            while order.exists() and time.monotonic() < deadline:
                time.sleep(0.005)
            try:
                order.unlink()
                return  # no client launched the victim meanwhile
            except FileNotFoundError:
                pass
            while worker in self.daemon.workers("gemmd_device_worker"):
                time.sleep(0.005)
            self._await_serving(time.monotonic())

    def order_hang(self):
        self._order("hang")

    def order_fault(self):
        self._order("fault")

    def order_crash(self):
        self._order("crash")

    def kill_compile_workers(self):
        for worker in self.daemon.workers("gemmd_compile_worker"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)

    def _entries(self):
        files = [path for path in (self.directory / "cache").glob("[0-9a-f][0-9a-f]/*") if path.is_file()]
        self.random.shuffle(files)
        return files

    def damage_cache(self):
        """Flips a byte of one entry, cuts another short, and puts the contents of two others in each other's place."""
        with contextlib.suppress(FileNotFoundError):  # the daemon set it aside meanwhile
            flipped, cut, first, second = (self._entries() * 4)[:4]
            data = bytearray(flipped.read_bytes())
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            flipped.write_bytes(data)
            os.truncate(cut, cut.stat().st_size // 2)
            one, other = first.read_bytes(), second.read_bytes()
            first.write_bytes(other)
            second.write_bytes(one)
        self.daemon.stub.ReleaseQuarantine(pb.ReleaseQuarantineRequest(all=True), timeout=WAIT_S)

    def kill_clients(self):
        """Programs of their own, killed while they send or receive."""
        spec = self.directory / "transfer.json"
        spec.write_text(json.dumps(chaos_work.TRANSFER.spec))
        running = [subprocess.Popen([SABOTAGED_DIR / "gemmctl", "--address", self.daemon.address, "run", spec, "--random",
                                     "--dim", "M=20000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL) for _ in range(3)]
        for client in running:
            time.sleep(self.random.uniform(0.01, 0.15))
            client.kill()
            client.wait()

    def kill_daemon(self):
        with self.deaths.span(daemon=True):
            self._keep_metrics()
            self.daemon.kill()
            self._restart()

    def restart_daemon(self):
        with self.deaths.span(daemon=True):
            self._keep_metrics()
            code = self.daemon.stop()
            if code != 0:
                self.record.blame("harness", f"the daemon ended with {code}")
            self._restart()

    def _restart(self):
        self.daemon.channel.close()
        orphans = self._foreign_workers()
        deadline = time.monotonic() + 5
        while orphans and time.monotonic() < deadline:
            time.sleep(0.02)
            orphans = self._foreign_workers()
        if orphans:
            self.record.blame("leaked", f"processes {orphans} outlived their daemon")
        self.daemon = self._start()

    def _foreign_workers(self):
        """Workers out of our directory whose daemon is another than the one that runs."""
        own = set(self.daemon.children()) if self.daemon.process.poll() is None else set()
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environment = (process / "environ").read_bytes()
                program = os.readlink(process / "exe")
                if (str(self.orders.directory).encode() in environment and program.endswith("_worker")
                        and int(process.name) not in own):
                    found.append(int(process.name))
        return found

    # -- The run -----------------------------------------------------------------------------------------------------

    def run(self, seconds):
        threads = [threading.Thread(target=self._client, args=(number,), daemon=True) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        acts = [self.kill_device_worker, self.stop_device_worker, self.order_hang, self.order_fault, self.order_crash,
                self.kill_compile_workers, self.damage_cache, self.kill_clients, self.kill_daemon, self.restart_daemon]
        end = time.monotonic() + seconds
        turn = []
        while time.monotonic() < end:
            if not turn:  # each once, in another order every time
                turn = self.random.sample(acts, len(acts))
            act = turn.pop()
            time.sleep(self.random.uniform(*CALM_S))
            try:
                act()
                self.record.acts[act.__name__] += 1
            except Exception:  # pylint: disable=broad-except
                self.record.blame("harness", f"{act.__name__}: {traceback.format_exc()}")
        self.stopping.set()
        for thread in threads:
            thread.join(WAIT_S * 2)
            if thread.is_alive():
                self.record.blame("wrong_status", "a call did not end at all")
        self._check_leaks()
        self._keep_metrics()
        code = self.daemon.stop()
        if code != 0:
            self.record.blame("harness", f"the daemon ended with {code}:\n{self.daemon.log()[-2000:]}")

    def _client(self, number):
        client = chaos_work.Client(self, number)
        try:
            while not self.stopping.is_set():
                client.work()
        except Exception:  # pylint: disable=broad-except
            self.record.blame("harness", f"client {number}: {traceback.format_exc()}")
        finally:
            client.close()

    # -- What is left ------------------------------------------------------------------------------------------------

    def _idle_fds(self):
        return len(list(pathlib.Path(f"/proc/{self.daemon.process.pid}/fd").iterdir()))

    def _remains(self):
        """What an idle daemon should not have, as texts."""
        found = []
        pid = self.daemon.process.pid
        fds = self._idle_fds()
        if fds > self.idle_fds + IDLE_FD_SLACK:
            found.append(f"{fds} descriptors, {self.idle_fds} at the start")
        staging = {line.split()[4] for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
                   if "memfd:gemmd-staging" in line}
        if len(staging) != 1:
            found.append(f"{len(staging)} staging areas for one device")
        stats = [pathlib.Path(f"/proc/{child}/stat").read_text() for child in self.daemon.children()]
        zombies = [stat.split(") ")[0] for stat in stats if ") Z " in stat]
        if zombies:
            found.append(f"zombies {zombies}")
        foreign = self._foreign_workers()
        if foreign:
            found.append(f"workers {foreign} without a daemon")
        return found

    def _check_leaks(self):
        deadline = time.monotonic() + 10
        while True:
            self._await_serving(time.monotonic())
            self.record.recoveries_s.pop()
            remains = self._remains()
            if not remains or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        for text in remains:
            self.record.blame("leaked", text)

    def report(self, seconds):
        faults = self.record.faults
        recoveries = sorted(self.record.recoveries_s) or [0.0]
        return {"minutes": round(seconds / 60, 2), "clients": self.clients, "calls": self.record.calls,
                "wrong": len(faults["wrong"]), "lost": len(faults["lost"]), "leaked": len(faults["leaked"]),
                "wrong_status": len(faults["wrong_status"]), "harness_errors": len(faults["harness"]),
                "recovery_ms": {"count": len(self.record.recoveries_s),
                                "p50": round(statistics.median(recoveries) * 1000, 1),
                                "max": round(recoveries[-1] * 1000, 1)},
                "worker_recoveries": dict(self.record.worker_recoveries),
                "acts": dict(sorted(self.record.acts.items())),
                "statuses": dict(sorted(self.record.statuses.items()))}


def run(seconds, clients=64, seed=1):
    """The report of one run, with what went wrong as texts."""
    with tempfile.TemporaryDirectory(prefix="gemmd_chaos_") as directory:
        chaos = Chaos(directory, clients, seed)
        began = time.monotonic()
        try:
            chaos.run(seconds)
        finally:
            chaos.daemon.kill()
        faults = {kind: texts for kind, texts in chaos.record.faults.items() if texts}
        return chaos.report(time.monotonic() - began), faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", help="file for the report")
    parser.add_argument("--commit", default="", help="for the report")
    arguments = parser.parse_args()
    report, faults = run(arguments.minutes * 60, arguments.clients, arguments.seed)
    report = {"commit": arguments.commit, "command": f"chaos.py --minutes {arguments.minutes:g} --clients {arguments.clients} --seed {arguments.seed}",
              "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
              "cpus": os.cpu_count(), **report}
    text = json.dumps(report, indent=2) + "\n"
    print(text)
    if arguments.output:
        pathlib.Path(arguments.output).write_text(text, encoding="utf-8")
    sys.exit(1 if any(faults.values()) else 0)


if __name__ == "__main__":
    main()
