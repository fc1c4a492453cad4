"""What deploy/ has for an operator: the example configuration and the systemd unit, held to the daemon itself.

Usage: operator_files_test.py ROOT BIN_DIR
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, BIN_DIR = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
EXAMPLE = ROOT / "deploy/gemmd.toml"
UNIT = ROOT / "deploy/systemd/gemmd.service"
COMMENTED_KEY = re.compile(r"^# (?=\w+ = )", re.MULTILINE)
# Flags that are about the configuration file, not in it.
NO_KEYS = {"help", "version", "config", "check-config"}


def gemmd(*arguments):
    return subprocess.run([BIN_DIR / "gemmd", *arguments], capture_output=True, text=True, timeout=60, check=False)


def flags():
    """The daemon's flags and their defaults, as its help shows them."""
    shown = gemmd("--help").stdout
    found = re.findall(r"^\s+(?:-\w,)?--([\w-]+)(?: \w+=(\S*))?", shown, re.MULTILINE)
    return {name: default for name, default in found if name not in NO_KEYS}


def keys(text):
    return dict(re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE))


class ConfigurationTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="gemmd.")
        self.addCleanup(scratch.cleanup)
        self.file = pathlib.Path(scratch.name, "gemmd.toml")

    def check(self, text, *arguments):
        self.file.write_text(text, encoding="utf-8")
        return gemmd("--config", self.file, "--check-config", *arguments)

    def test_the_example_is_valid_as_it_stands_and_with_every_key_in_use(self):
        for text in (EXAMPLE.read_text(), COMMENTED_KEY.sub("", EXAMPLE.read_text())):
            checked = self.check(text)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_every_flag_is_a_key_of_the_example_and_every_key_a_flag(self):
        known = {name.replace("-", "_") for name in flags()}
        self.assertGreater(len(known), 10)
        self.assertEqual(set(keys(COMMENTED_KEY.sub("", EXAMPLE.read_text()))), known)

    def test_what_is_commented_out_is_the_default(self):
        defaults = {name.replace("-", "_"): value for name, value in flags().items()}
        commented = set(keys(COMMENTED_KEY.sub("", EXAMPLE.read_text()))) - set(keys(EXAMPLE.read_text()))
        compared = 0
        for key in commented - {"nvrtc_dir", "device"}:
            value = keys(COMMENTED_KEY.sub("", EXAMPLE.read_text()))[key].replace("_", "").strip('"')
            self.assertEqual(value, defaults[key].replace("_", ""), key)
            compared += 1
        self.assertGreater(compared, 5)

    def test_every_error_is_named_with_its_line_and_column(self):
        checked = self.check('listen = ["unix:/a", "nowhere"]\nslot = 3\nslots = 0\ncache_dir = 5\n')
        self.assertEqual(checked.returncode, 2)
        self.assertEqual(checked.stderr.splitlines(), [
            f'{self.file}:2:1: "slot": is not a key; did you mean "slots"?',
            f"{self.file}:4:13: cache_dir: found an integer, expected a string",
            f"{self.file}:3:9: slots: found 0, expected at least 1",
            f"{self.file}:1:22: listen: found nowhere, expected unix:/path (absolute, under 108 bytes) or host:port"])

    def test_a_flag_overrides_its_key(self):
        self.assertEqual(self.check('listen = ["unix:/a"]\ncache_dir = "/c"\nslots = 0\n', "--slots", "2").returncode, 0)
        checked = self.check('listen = ["unix:/a"]\ncache_dir = "/c"\n', "--slots", "0")
        self.assertEqual(checked.stderr, "--slots: found 0, expected at least 1\n")

    def test_what_is_no_toml_or_no_file_is_an_error(self):
        checked = self.check("listen = [\n")
        self.assertEqual(checked.returncode, 2)
        self.assertIn(f"{self.file}:1:", checked.stderr)
        absent = gemmd("--config", "/nonexistent/gemmd.toml", "--check-config")
        self.assertEqual(absent.returncode, 2)
        self.assertIn("/nonexistent/gemmd.toml", absent.stderr)


class UnitTest(unittest.TestCase):
    def setUp(self):
        self.settings = {}
        for line in UNIT.read_text().splitlines():
            if line and line[0] not in "#[":
                name, _, value = line.partition("=")
                self.settings.setdefault(name, []).append(value)

    def setting(self, name):
        value, = self.settings[name]
        return value

    def test_starts_the_daemon_that_the_tarball_has_with_flags_that_there_are(self):
        known = gemmd("--help").stdout
        commands = self.settings["ExecStart"] + self.settings["ExecStartPre"]
        for command in commands:
            program, *arguments = command.split()
            self.assertEqual(program, "/opt/gemmd/bin/gemmd")
            for flag in arguments[::2]:
                self.assertRegex(known, rf"(?m)^\s+{flag}\b")

    def test_the_daemon_speaks_the_protocol_of_its_type(self):
        self.assertEqual(self.setting("Type"), "notify")
        self.assertIn("-HUP $MAINPID", self.setting("ExecReload"))
        self.assertEqual(self.setting("RestartPreventExitStatus"), "2")

    def test_stopping_waits_for_the_drain(self):
        drain_ms = int(flags()["drain-ms"])
        self.assertGreater(int(self.setting("TimeoutStopSec")) * 1000, drain_ms + 5000)

    def test_its_directories_are_those_of_the_example(self):
        example = keys(EXAMPLE.read_text())
        self.assertEqual(example["cache_dir"], f'"/var/cache/{self.setting("CacheDirectory")}"')
        self.assertIn(f'unix:/run/{self.setting("RuntimeDirectory")}/', example["listen"])
        self.assertEqual(self.setting("CacheDirectoryMode"), "0700")
        self.assertNotIn(self.setting("User"), ("root", "0", ""))

    def test_systemd_knows_every_setting(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        with tempfile.TemporaryDirectory() as directory:
            unit = pathlib.Path(directory, "gemmd.service")
            unit.write_text(UNIT.read_text().replace("/opt/gemmd/bin", str(BIN_DIR)))
            verified = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True,
                                      timeout=60, check=False)
        self.assertEqual([line for line in verified.stderr.splitlines() if "gemmd.service" in line], [])
        self.assertEqual(verified.returncode, 0, verified.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
