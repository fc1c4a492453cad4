"""gemmctl in a shell: completion in bash, the progress line on a terminal, the checked-in schema.

Usage: gemmctl_shell_test.py GEMMCTL SCHEMA
"""

import os
import pathlib
import pty
import re
import socket
import subprocess
import sys
import tempfile
import unittest

GEMMCTL, SCHEMA = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
COMMANDS = ("validate", "plan", "source", "compile", "run", "tune", "devices", "health", "kernels", "stats", "cache",
            "quarantine", "records", "schema", "completion")
COMPLETE = r"""
source <("$GEMMCTL" completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_gemmctl
printf '%s\n' "${COMPREPLY[@]}"
"""


def output_of(*arguments):
    return subprocess.run([GEMMCTL, *arguments], check=True, capture_output=True, text=True).stdout


def options_in_help(*command):
    return set(re.findall(r"(?m)^\s+(?:-\w,)?(--[\w-]+)", output_of(*command, "--help")))


def subcommands_in_help(*command):
    _, _, listed = output_of(*command, "--help").partition("Subcommands:\n")
    return set(re.findall(r"(?m)^  ([a-z]+) ", listed.split("\n\n")[0]))


class CompletionTest(unittest.TestCase):
    def complete(self, *words, directory="."):
        """What bash offers for the last of the words."""
        done = subprocess.run(["bash", "-euc", COMPLETE, "bash", "gemmctl", *words], check=True, capture_output=True,
                              text=True, cwd=directory, env=dict(os.environ, GEMMCTL=str(GEMMCTL)))
        self.assertEqual(done.stderr, "")
        return {line for line in done.stdout.splitlines() if line}

    def test_every_command_is_offered(self):
        self.assertEqual(self.complete(""), set(COMMANDS))
        self.assertEqual(self.complete("c"), {"compile", "cache", "completion"})
        self.assertEqual(self.complete("cache", ""), {"list", "show", "purge"})
        self.assertEqual(self.complete("quarantine", ""), {"list", "release"})
        self.assertEqual(self.complete("records", ""), {"list", "export", "import"})
        self.assertEqual(self.complete("completion", ""), {"bash", "zsh", "fish"})

    def test_commands_are_those_of_the_help(self):
        self.assertEqual(subcommands_in_help(), set(COMMANDS))
        self.assertEqual(subcommands_in_help("cache"), {"list", "show", "purge"})

    def test_every_option_of_the_help_is_offered(self):
        paths = [(command,) for command in COMMANDS] + [("cache", name) for name in ("list", "show", "purge")] + \
            [("records", name) for name in ("list", "export", "import")] + \
            [("completion", name) for name in ("bash", "zsh", "fish")]
        everywhere = options_in_help() - {"--version", "--help"}
        self.assertIn("--json", everywhere)
        for path in paths:
            with self.subTest(command=path):
                self.assertEqual(self.complete(*path, "--"), options_in_help(*path) | everywhere)
        self.assertEqual(self.complete("--"), options_in_help())

    def test_options_before_a_command_do_not_hide_it(self):
        self.assertEqual(self.complete("--json", "cache", "l"), {"list"})
        self.assertEqual(self.complete("--address", "cache", "va"), {"validate"})

    def test_files_are_offered_where_a_file_goes(self):
        with tempfile.TemporaryDirectory() as directory:
            for name in ("spec.json", "x.npy"):
                pathlib.Path(directory, name).touch()
            self.assertEqual(self.complete("plan", "sp", directory=directory), {"spec.json"})
            self.assertEqual(self.complete("compile", "spec.json", "--output-dir", "", directory=directory),
                             {"spec.json", "x.npy"})
            # Bash makes a word of its own of the equals sign.
            self.assertEqual(self.complete("run", "spec.json", "--input", "x", "=", "x.", directory=directory), {"x.npy"})
            self.assertEqual(self.complete("devices", "", directory=directory), set())

    def test_the_other_shells_know_every_command_and_option(self):
        options = set.union(*(options_in_help(command) for command in COMMANDS)) | options_in_help("cache", "purge") | \
            options_in_help("quarantine", "release")
        zsh, fish = output_of("completion", "zsh"), output_of("completion", "fish")
        for command in COMMANDS:
            self.assertRegex(zsh, rf"\b{command}\b")
            self.assertRegex(fish, rf"-a {command} -d '")
        for option in options:
            self.assertRegex(zsh, rf"{option}\b")
            self.assertRegex(fish, rf"-l {option[2:]}\b")

    def test_a_shell_that_is_none_is_wrong_usage(self):
        done = subprocess.run([GEMMCTL, "completion", "tcsh"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertNotEqual(done.stderr, "")


class ProgressTest(unittest.TestCase):
    """A daemon that takes connections and never answers."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="gemmd.")
        self.addCleanup(directory.cleanup)
        self.address = f"unix:{directory.name}/socket"
        silent = socket.socket(socket.AF_UNIX)
        self.addCleanup(silent.close)
        silent.bind(f"{directory.name}/socket")
        silent.listen()

    def stderr_on_a_terminal(self, timeout_s):
        ours, theirs = pty.openpty()
        try:
            done = subprocess.run([GEMMCTL, "--address", self.address, "--timeout", str(timeout_s), "cache", "list"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, check=False)
        finally:
            os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # the terminal has no other end any more
            pass
        os.close(ours)
        self.assertEqual(done.stdout, b"")
        return done.returncode, shown.decode()

    def test_a_call_over_a_second_shows_its_time_and_wipes_it(self):
        code, shown = self.stderr_on_a_terminal(2.6)
        self.assertEqual(code, 5)
        lines = shown.split("\r\x1b[K")
        self.assertEqual(lines[0], "")
        self.assertEqual(lines[1], "cache list: 1 s of at most 2 s")
        self.assertIn("cache list: 2 s of at most 2 s", lines)
        self.assertTrue(lines[-1].startswith("gemmctl: "), lines[-1])

    def test_a_call_under_a_second_shows_nothing(self):
        code, shown = self.stderr_on_a_terminal(0.5)
        self.assertEqual(code, 5)
        self.assertTrue(shown.startswith("gemmctl: "), shown)

    def test_nothing_is_shown_where_there_is_no_terminal(self):
        done = subprocess.run([GEMMCTL, "--address", self.address, "--timeout", "1.6", "health"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 5)
        self.assertTrue(done.stderr.startswith("gemmctl: "), done.stderr)
        self.assertNotIn("\x1b", done.stderr)


class SchemaCopyTest(unittest.TestCase):
    def test_the_checked_in_schema_is_current(self):
        self.assertEqual(SCHEMA.read_text(encoding="utf-8"), output_of("schema"),
                         "write it anew: gemmctl schema > client/kernel_spec.schema.json")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
