"""What an operator sees of a daemon at work: /metrics, read strictly, the status page, /healthz, the dashboard's metrics.

Usage: metrics_test.py ROOT BIN_DIR
"""

import html.parser
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT, BIN_DIR = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
sys.path.insert(0, str(ROOT / "tests/testing"))
from daemon import Process  # noqa: E402

SPEC = ROOT / "client/examples/swish_column_scale.json"
DASHBOARD = ROOT / "deploy/grafana/gemmd.json"
WAIT_S = 60
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:\w+="(?:[^"\\\n]|\\[\\n"])*",?)*)\}})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\n"])*)"')


def parse(text):
    """{family: (type, {(name, labels): value})}. Raises ValueError for whatever the format does not allow."""
    families, current = {}, None
    if not text.endswith("\n"):
        raise ValueError("the last line does not end")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, words = line[7:].partition(" ")
            if name in families or not words or not re.fullmatch(NAME, name):
                raise ValueError(line)
            families[name], current = (None, {}), name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            if name != current or families[name][0] or kind not in ("counter", "gauge", "histogram"):
                raise ValueError(line)
            families[name] = (kind, {})
        else:
            match = SAMPLE.fullmatch(line)
            if not match or current is None:
                raise ValueError(line)
            name, labels, value = match.groups()
            kind, samples = families[current]
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            key = (name, tuple(LABEL.findall(labels or "")))
            if name not in {current + suffix for suffix in suffixes} or key in samples:
                raise ValueError(line)
            samples[key] = float(value)
    for name, (kind, samples) in families.items():
        check_family(name, kind, samples)
    return families


def check_family(name, kind, samples):
    if (kind == "counter") != name.endswith("_total"):
        raise ValueError(f"{name}: a {kind}")
    if any(math.isnan(value) or (kind != "gauge" and value < 0) for value in samples.values()):
        raise ValueError(f"{name}: {samples}")
    if kind != "histogram":
        return
    buckets = {}
    for (sample, labels), value in samples.items():
        if sample == name + "_bucket":
            *others, (le, bound) = labels
            if le != "le":
                raise ValueError(f"{name}: {labels}")
            buckets.setdefault(tuple(others), []).append((float(bound), value))
    for labels, series in buckets.items():
        bounds, counts = zip(*series)
        if list(bounds) != sorted(set(bounds)) or bounds[-1] != math.inf or list(counts) != sorted(counts):
            raise ValueError(f"{name}: {series}")
        if counts[-1] != samples[(name + "_count", labels)] or (name + "_sum", labels) not in samples:
            raise ValueError(f"{name}{labels}: the count is not that of the last bucket")


class Tags(html.parser.HTMLParser):
    """Checks that tags nest, and collects their names and the text."""

    VOID = {"meta", "!doctype"}

    def __init__(self, text):
        super().__init__()
        self.open, self.names, self.text = [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes another tag")

    def handle_data(self, data):
        self.text.append(data)


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="gemmd.")
        cls.addClassCleanup(scratch.cleanup)
        cls.daemon = Process(BIN_DIR, scratch.name, ("--device", "host", "--metrics-address", "0"))
        cls.addClassCleanup(cls.daemon.kill)
        cls.base = "http://" + re.search(r"metrics listen=(127\.0\.0\.1:\d+)", cls.daemon.log()).group(1)
        run = subprocess.run([BIN_DIR / "gemmctl", "--address", cls.daemon.address, "run", SPEC, "--random"],
                             capture_output=True, text=True, timeout=WAIT_S, check=True)
        cls.compiled = "compiled in" in run.stdout

    def get(self, path):
        """(status, content type, text)."""
        try:
            with urllib.request.urlopen(self.base + path, timeout=WAIT_S) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read().decode()

    def metrics(self):
        status, kind, text = self.get("/metrics")
        self.assertEqual((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
        return parse(text)

    def value(self, families, family, sample=None, **labels):
        return families[family][1][(sample or family, tuple(labels.items()))]

    def test_metrics_follow_the_work(self):
        before = self.metrics()
        self.assertGreaterEqual(self.value(before, "gemmd_rpcs_total", method="Run", code="OK"), 1)
        self.assertEqual(self.value(before, "gemmd_rpcs_in_flight", method="Run"), 0)
        self.assertEqual(self.value(before, "gemmd_device_up", device="host"), 1)
        self.assertEqual(self.value(before, "gemmd_serving"), 1)
        for stage in ("validate", "load", "queue", "launch") + (("plan", "generate", "compile") if self.compiled else ()):
            count = self.value(before, "gemmd_stage_duration_seconds", "gemmd_stage_duration_seconds_count", stage=stage)
            self.assertGreaterEqual(count, 1, stage)
        subprocess.run([BIN_DIR / "gemmctl", "--address", self.daemon.address, "run", SPEC, "--random"], check=True,
                       capture_output=True, timeout=WAIT_S)
        after = self.metrics()
        for family, labels in (("gemmd_rpcs_total", {"method": "Run", "code": "OK"}),
                               ("gemmd_launches_total", {"device": "host", "result": "done"})):
            self.assertEqual(self.value(after, family, **labels), self.value(before, family, **labels) + 1)
        if self.compiled:
            self.assertGreater(self.value(after, "gemmd_cache_hits_total", tier="memory"),
                               self.value(before, "gemmd_cache_hits_total", tier="memory"))
            self.assertGreater(self.value(after, "gemmd_cache_bytes", tier="disk"), 0)
            self.assertGreaterEqual(self.value(after, "gemmd_compiles_total"), 1)
        self.assertGreater(self.value(after, "process_resident_memory_bytes"), 1 << 20)
        self.assertGreater(self.value(after, "process_open_fds"), 5)

    def test_a_device_that_dies_is_seen_and_serves_again(self):
        worker, = [pid for pid in self.daemon.children()
                   if "gemmd_device_worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
        faults = self.value(self.metrics(), "gemmd_device_faults_total", device="host")
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + WAIT_S
        while self.value(self.metrics(), "gemmd_device_faults_total", device="host") == faults:
            self.assertLess(time.monotonic(), deadline)
        self.assertIn("killed by SIGKILL", self.get("/")[2])
        while self.value(self.metrics(), "gemmd_device_up", device="host") == 0:  # nobody has to ask for it
            self.assertLess(time.monotonic(), deadline)
        recoveries = self.value(self.metrics(), "gemmd_device_recovery_duration_seconds",
                                "gemmd_device_recovery_duration_seconds_count", device="host")
        self.assertEqual(recoveries, faults + 1)
        subprocess.run([BIN_DIR / "gemmctl", "--address", self.daemon.address, "run", SPEC, "--random"], check=True,
                       capture_output=True, timeout=WAIT_S)
        self.assertEqual(self.value(self.metrics(), "gemmd_device_up", device="host"), 1)

    def test_the_page_is_for_people_and_needs_no_script(self):
        status, kind, text = self.get("/")
        self.assertEqual((status, kind), (200, "text/html; charset=utf-8"))
        page = Tags(text)
        self.assertEqual(page.open, [])
        self.assertTrue({"html", "head", "title", "body", "h1", "h2", "table", "tr", "th", "td"} <= page.names)
        self.assertFalse({"script", "img", "link", "iframe"} & page.names)
        shown = " ".join(page.text)
        for words in ("serving", "Devices", "host", "Queues", "Top kernels", "Recent faults", "Run", "OK"):
            self.assertIn(words, shown)

    def test_health_and_what_is_not_there(self):
        self.assertEqual(self.get("/healthz"), (200, "text/plain; charset=utf-8", "serving\n"))
        self.assertEqual(self.get("/elsewhere")[0], 404)

    def test_every_metric_of_the_dashboard_is_exported(self):
        dashboard = json.loads(DASHBOARD.read_text())
        expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        expressions += [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
        families = self.metrics()
        known = set(families)
        for name, (kind, _) in families.items():
            if kind == "histogram":
                known |= {name + suffix for suffix in ("_bucket", "_sum", "_count")}
        used = {name for text in expressions for name in re.findall(r"\b(?:gemmd|process)_\w+", text)}
        self.assertGreater(len(used), 20)
        self.assertEqual(used - known, set())
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))

    def test_the_parser_is_strict(self):
        good = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 1\n"
        self.assertEqual(parse(good)["a_total"][1], {("a_total", (("x", "1"),)): 1.0})
        for bad in (good[:-1], good + "a_total{x=\"1\"} 2\n", good + "b 1\n", good.replace("_total", ""),
                    good.replace('"1"', '"1""'), good.replace(" 1\n", " -1\n"), good.replace(" 1\n", "\n")):
            with self.assertRaises(ValueError, msg=bad):
                parse(bad)


class OffTest(unittest.TestCase):
    def test_there_is_no_such_port_unless_it_is_asked_for(self):
        with tempfile.TemporaryDirectory(prefix="gemmd.") as directory:
            daemon = Process(BIN_DIR, directory, ("--device", "host"))
            try:
                self.assertNotIn("metrics listen", daemon.log())
            finally:
                daemon.stop()

    def test_a_port_that_is_taken_is_an_error_at_the_start(self):
        with tempfile.TemporaryDirectory(prefix="gemmd.") as directory:
            daemon = Process(BIN_DIR, directory, ("--device", "host", "--metrics-address", "0"))
            try:
                port = re.search(r"metrics listen=127\.0\.0\.1:(\d+)", daemon.log()).group(1)
                second = subprocess.run([BIN_DIR / "gemmd", "--listen", f"unix:{directory}/second", "--cache-dir",
                                         f"{directory}/cache", "--device", "host", "--metrics-address", port],
                                        capture_output=True, text=True, timeout=WAIT_S, check=False)
                self.assertEqual(second.returncode, 1)
                self.assertIn(f"cannot listen on 127.0.0.1:{port}", second.stderr)
            finally:
                daemon.stop()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
