#!/usr/bin/env python3
"""Proves deploy/Dockerfile where there is no Docker: fresh Debian roots take the place of its images.

Runs every instruction of the file in roots made by mmdebstrap, with a clone of HEAD as the build context and nothing
else; then deploy/demo.sh in the build stage, and in the last stage the daemon as that stage's user, until its own health
check is content, it has compiled a kernel and has stopped cleanly. Needs root, mmdebstrap and Debian's mirrors; runs
outside CI. What it prints goes to the log too, without paths and mirrors of this machine.
"""

import argparse
import datetime
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import dockerfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SUITES = {"debian:12-slim": "bookworm"}
EXAMPLE = "client/examples/swish_column_scale.json"
STARTUP_S = 60
# How commands in a root reach package registries, where this machine's need it.
NETWORK_VARIABLE = re.compile(r"PIP_(CERT|PROXY|TIMEOUT|DEFAULT_TIMEOUT|TRUSTED_HOST|(EXTRA_)?INDEX_URL)|SSL_CERT_FILE|"
                              r"(https?|no)_proxy", re.IGNORECASE)
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/usr/local/share/ca-certificates")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Log:
    """Standard output and a file, with this machine's names replaced."""

    def __init__(self, path, names):
        self._file = path.open("w", encoding="utf-8")
        self._names = {name: stand_in for name, stand_in in names.items() if name}
        longest_first = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)({'|'.join(longest_first)})(?!\w)")

    def __call__(self, line):
        line = self._pattern.sub(lambda match: self._names[match.group()], line)
        print(line, flush=True)
        print(line, file=self._file, flush=True)

    def run(self, command, **options):
        """Runs a command, logs what it prints. Raises RuntimeError where it fails."""
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", **options) as process:
            for line in process.stdout:
                self(line.rstrip())
        if process.returncode != 0:
            raise RuntimeError(f"status {process.returncode} of the command above")


def apt_sources(suite):
    """This machine's own lines for a suite, as sources.list has them."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)"], check=True,
                            capture_output=True, text=True).stdout
    found = {tuple(line.split()) for line in listed.splitlines()}
    return [f"deb {site} {release} main" for site, release, component in sorted(found)
            if component == "main" and release.split("-")[0] == suite]


def apt_options():
    """What this machine needs to accept those mirrors."""
    dumped = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    return [line for line in dumped.splitlines() if re.match(r"Acquire::(Check-|http|https)", line)]


class Root:
    """The file system of one stage."""

    def __init__(self, path):
        self.path = path
        self.environment = {"PATH": DEFAULT_PATH, "LANG": "C.UTF-8"}
        self.directory = "/"
        self.user = "root"

    def inside(self, path):
        """A path of the stage, as this machine sees it."""
        return self.path / os.path.normpath(os.path.join(self.directory, path)).lstrip("/")

    def command(self, arguments):
        """What runs a command in it: its own mounts and processes, which end with the command."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        variables += [f"{name}={value}" for name, value in os.environ.items() if NETWORK_VARIABLE.fullmatch(name)]
        script = ('mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && '
                  'root=$1 user=$2 && shift 2 && exec chroot "--userspec=$user" "$root" "$@"')
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script, "sh", str(self.path),
                self.user, "env", "--ignore-environment", f"--chdir={self.directory}", *variables, *arguments]


class Proof:
    def __init__(self, log, scratch):
        self.log = log
        self.scratch = scratch
        self.context = scratch / "context"
        self.roots = {}

    def make_base(self, image, sources):
        """The root that stands for a base image."""
        base = self.scratch / "base"
        self.log(f"== {image}: mmdebstrap {SUITES[image]}, variant minbase")
        options = [f"--aptopt={option}" for option in apt_options()]
        self.log.run(["mmdebstrap", "--quiet", "--variant=minbase", *options, SUITES[image], str(base), *sources])
        return base

    def start_stage(self, stage, base):
        root = Root(self.scratch / f"stage_{stage.name}")
        subprocess.run(["cp", "--archive", base, root.path], check=True)
        for name in NETWORK_FILES:
            if os.path.isdir(name):
                shutil.copytree(name, root.inside(name), dirs_exist_ok=True)
            elif os.path.exists(name):
                shutil.copy(name, root.inside(name))
        self.roots[stage.name] = root
        return root

    def perform(self, root, step):
        """One instruction."""
        self.log(f"== line {step.line}: {step.keyword} {step.text}")
        if step.keyword == "WORKDIR":
            root.directory = os.path.join(root.directory, step.text)
            root.inside(".").mkdir(parents=True, exist_ok=True)
        elif step.keyword == "ENV":
            root.environment.update(word.split("=", 1) for word in step.words())
        elif step.keyword == "USER":
            root.user = step.text
        elif step.keyword == "COPY":
            self.copy(root, step)
        elif step.keyword == "RUN":
            started = time.monotonic()
            self.log.run(root.command(["/bin/sh", "-c", step.text]))
            self.log(f"   {time.monotonic() - started:.0f} s")

    def copy(self, root, step):
        origin = self.roots[step.flags["from"]].path if "from" in step.flags else self.context
        *sources, target = step.words()
        to = root.inside(target)
        for source in sources:
            path = origin / source.lstrip("/")
            if path.is_dir():
                shutil.copytree(path, to, symlinks=True, dirs_exist_ok=True)
            else:
                into = to / path.name if target.endswith("/") else to
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, into)

    def clone_context(self):
        """HEAD without what .dockerignore names: the clone has no build."""
        self.log.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.context)])
        shutil.rmtree(self.context / ".git")

    def serve(self, stage):
        """Runs the last stage as Docker would, without a GPU."""
        root = self.roots[stage.name]
        command = stage.last("ENTRYPOINT").command() + stage.last("CMD").command()
        check = stage.last("HEALTHCHECK").command()
        self.log(f"== the last stage as {root.user}: {' '.join(command)}")
        with open(self.scratch / "gemmd.log", "w", encoding="utf-8") as output:
            daemon = subprocess.Popen(root.command(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + STARTUP_S
            while subprocess.run(root.command(check), capture_output=True, check=False).returncode != 0:
                if daemon.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.scratch / "gemmd.log").read_text())
                time.sleep(0.5)
            self.log.run(root.command(check))
            shutil.copy(self.context / EXAMPLE, root.inside("/tmp/spec.json"))
            for arguments in (["compile", "/tmp/spec.json"], ["run", "/tmp/spec.json", "--random", "--verify"]):
                self.log(f"== gemmctl {' '.join(arguments)}")
                self.log.run(root.command(["gemmctl", *arguments]))
            status = root.inside("/var/cache/gemmd").stat()
            self.log(f"== /var/cache/gemmd: mode {status.st_mode & 0o777:o}, owner {status.st_uid}")
            if status.st_mode & 0o077 or status.st_uid == 0:
                raise RuntimeError("the cache directory is not its user's alone")
        finally:
            self.stop(daemon)
        self.log("== stopped by SIGTERM with status 0")

    def stop(self, daemon):
        """SIGTERM to the daemon itself, which is process 1 of its namespace."""
        children = pathlib.Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), 15)
        if daemon.wait(timeout=STARTUP_S) != 0:
            raise RuntimeError((self.scratch / "gemmd.log").read_text())

    def prove(self, sources):
        self.clone_context()
        stages = dockerfile.parse((self.context / "deploy/Dockerfile").read_text())
        bases = {}
        for stage in stages:
            if stage.image not in bases:
                bases[stage.image] = self.make_base(stage.image, sources)
            root = self.start_stage(stage, bases[stage.image])
            self.log(f"== stage {stage.name} from {stage.image}")
            for step in stage.instructions:
                self.perform(root, step)
        self.log("== deploy/demo.sh in the build stage")
        self.log.run(self.roots[stages[0].name].command(["deploy/demo.sh"]))
        self.serve(stages[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", action="append", default=[], metavar="LINE",
                        help="a sources.list line; default: those of this machine's apt for the suite")
    parser.add_argument("--log", type=pathlib.Path, default=ROOT / "tests/bench/results/mmdebstrap.log")
    parser.add_argument("--scratch", help="where the roots lie; default: a temporary directory")
    arguments = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        sys.exit("prove_container: needs root and the package mmdebstrap")
    sources = arguments.mirror or apt_sources("bookworm")
    hosts = {urllib.parse.urlsplit(word).netloc for line in sources for word in line.split() if "://" in word}
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="gemmd_proof.", dir=arguments.scratch))
    log = Log(arguments.log, {str(scratch): "<scratch>", str(ROOT): "<repository>", socket.gethostname(): "<host>"} |
              {host: "<mirror>" for host in hosts})
    started = time.monotonic()
    try:
        log(f"commit {commit.strip()}")
        log(f"date {datetime.date.today()}")
        Proof(log, scratch).prove(sources)
        log(f"proved in {time.monotonic() - started:.0f} s")
    except (subprocess.CalledProcessError, RuntimeError, ValueError, OSError) as error:
        log(f"FAILED: {error}")
        sys.exit(1)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
