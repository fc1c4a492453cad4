"""Holds deploy/Dockerfile to the tree and to what a container should be; the proof of it to its word.

Usage: dockerfile_test.py ROOT BIN_DIR
"""

import contextlib
import io
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT, BIN_DIR = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
sys.path.insert(0, str(ROOT / "deploy"))
import dockerfile  # noqa: E402
import prove_container  # noqa: E402

TEXT = (ROOT / "deploy/Dockerfile").read_text()


def ignored(path):
    """Whether .dockerignore keeps a path relative to the root out of the build context."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().split() if not line.startswith("#")]
    return any(path == pattern or path.startswith(pattern + "/") for pattern in patterns)


class DockerfileTest(unittest.TestCase):
    def setUp(self):
        self.stages = dockerfile.parse(TEXT)
        self.last = self.stages[-1]
        self.command = self.last.last("ENTRYPOINT").command() + self.last.last("CMD").command()

    def test_every_copied_file_is_in_the_tree_or_in_an_earlier_stage(self):
        known = set()
        copies = 0
        for stage in self.stages:
            for step in stage.instructions:
                if step.keyword != "COPY":
                    continue
                copies += 1
                if "from" in step.flags:
                    self.assertIn(step.flags["from"], known)
                    continue
                for source in step.words()[:-1]:
                    self.assertTrue((ROOT / source).exists(), f"line {step.line}: {source}")
                    self.assertFalse(ignored(source), f"line {step.line}: {source}")
            known.add(stage.name)
        self.assertGreater(copies, 0)

    def test_nothing_is_fetched_but_by_the_install_script(self):
        code = "\n".join(line for line in TEXT.splitlines() if not line.startswith("#"))
        self.assertIsNone(re.search(r"://|\b(curl|wget|git|pip|apt|apt-get)\b", code))

    def test_every_stage_is_debian_12_slim(self):
        self.assertEqual({stage.image for stage in self.stages}, {"debian:12-slim"})
        self.assertGreater(len(self.stages), 1)

    def test_the_daemon_runs_as_a_user_that_is_not_root(self):
        user = self.last.last("USER").text
        self.assertNotIn(user, ("", "root", "0"))
        created = [step for step in self.last.instructions if step.keyword == "RUN" and "useradd" in step.text]
        self.assertEqual(len(created), 1)
        self.assertTrue(created[0].text.endswith(" " + user))
        order = [step.keyword for step in self.last.instructions]
        self.assertNotIn("RUN", order[order.index("USER"):])

    def test_the_cache_is_its_users_alone(self):
        directory = self.command[self.command.index("--cache-dir") + 1]
        user = self.last.last("USER").text
        made = next(step for step in self.last.instructions if step.keyword == "RUN" and directory in step.words())
        for flag in ("--mode 0700", f"--owner {user}"):
            self.assertIn(flag, made.text)
        self.assertIn(directory, self.last.last("VOLUME").command())

    def test_the_nvidia_runtime_brings_the_driver(self):
        environment = self.last.environment()
        self.assertEqual(environment["NVIDIA_VISIBLE_DEVICES"], "all")
        self.assertEqual(environment["NVIDIA_DRIVER_CAPABILITIES"], "compute,utility")

    def test_health_is_asked_where_the_daemon_listens(self):
        check = self.last.last("HEALTHCHECK").command()
        self.assertEqual((check[0], check[-1]), ("gemmctl", "health"))
        self.assertEqual(self.last.environment()["GEMMD_ADDRESS"], self.command[self.command.index("--listen") + 1])

    def test_every_flag_of_the_daemon_is_one(self):
        known = subprocess.run([BIN_DIR / "gemmd", "--help"], check=True, capture_output=True, text=True).stdout
        flags = [word for word in self.command if word.startswith("--")]
        self.assertGreater(len(flags), 1)
        for flag in flags:
            self.assertRegex(known, rf"(?m)^\s+{flag}\b")

    def test_the_built_programs_are_those_of_the_package(self):
        package = (ROOT / "deploy/cmake/GemmdPackage.cmake").read_text()
        programs = re.search(r"set\(programs ([\w ]+)\)", package).group(1).split()
        build = next(step.words() for stage in self.stages for step in stage.instructions
                     if step.keyword == "RUN" and step.text.startswith("deploy/build.sh"))
        self.assertEqual(sorted(build[1:]), sorted(programs))


class ParserTest(unittest.TestCase):
    def test_joins_lines_and_skips_comments(self):
        stage, = dockerfile.parse("# first\nFROM a AS b\nRUN one \\\n# between\n  two\nCOPY --from=x /y /z\n")
        self.assertEqual((stage.image, stage.name), ("a", "b"))
        self.assertEqual([step.keyword for step in stage.instructions], ["RUN", "COPY"])
        self.assertEqual(stage.instructions[0].text.split(), ["one", "two"])
        self.assertEqual(stage.instructions[0].line, 3)
        self.assertEqual((stage.instructions[1].flags, stage.instructions[1].words()), ({"from": "x"}, ["/y", "/z"]))

    def test_refuses_what_it_does_not_know(self):
        for text in ("FROM a\nADD b c\n", "RUN early\n", "FROM a\nRUN b \\\n", "FROM a\nONBUILD RUN b\n"):
            with self.assertRaises(ValueError, msg=text):
                dockerfile.parse(text)

    def test_a_shell_form_is_no_command(self):
        stage, = dockerfile.parse("FROM a\nCMD gemmd --listen x\nHEALTHCHECK --interval=1s CMD [\"a\", \"b\"]\n")
        with self.assertRaises(ValueError):
            stage.last("CMD").command()
        self.assertEqual(stage.last("HEALTHCHECK").command(), ["a", "b"])


class ProofLogTest(unittest.TestCase):
    def test_names_nothing_of_the_machine_it_was_made_on(self):
        with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(io.StringIO()) as printed:
            path = pathlib.Path(directory, "log")
            log = prove_container.Log(path, {"/tmp/proof": "<scratch>", "/tmp/proof/src": "<source>", "vm": "<host>",
                                             "mirror.example": "<mirror>", "": "<nothing>"})
            log("get http://mirror.example/debian into /tmp/proof/root on vm")
            log("/tmp/proof/src, NVVM, /tmp/proofs")
            expected = ("get http://<mirror>/debian into <scratch>/root on <host>\n"
                        "<source>, NVVM, /tmp/proofs\n")
            self.assertEqual(path.read_text(), expected)
            self.assertEqual(printed.getvalue(), expected)

    def test_a_command_that_fails_ends_the_proof(self):
        with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(io.StringIO()):
            log = prove_container.Log(pathlib.Path(directory, "log"), {"name": "<stand-in>"})
            with self.assertRaisesRegex(RuntimeError, "status 3"):
                log.run(["sh", "-c", "echo said; exit 3"])
            self.assertEqual(pathlib.Path(directory, "log").read_text(), "said\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
