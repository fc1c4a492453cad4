"""Reads the part of the Dockerfile language that deploy/Dockerfile is written in; anything else is an error."""

import dataclasses
import json
import re
import shlex

KEYWORDS = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"}


@dataclasses.dataclass
class Instruction:
    line: int
    keyword: str
    flags: dict  # --from=build is {"from": "build"}
    text: str    # what follows the flags

    def words(self):
        """The words of an instruction that is no shell command."""
        return shlex.split(self.text)

    def command(self):
        """The argument vector of an instruction in its JSON form."""
        text = self.text.removeprefix("CMD ") if self.keyword == "HEALTHCHECK" else self.text
        if not text.startswith("["):
            raise ValueError(f"line {self.line}: {self.keyword} in its shell form; write a JSON list")
        return json.loads(text)


@dataclasses.dataclass
class Stage:
    image: str
    name: str
    instructions: list

    def last(self, keyword):
        """The instruction of that keyword which holds in the end, or None."""
        return next((step for step in reversed(self.instructions) if step.keyword == keyword), None)

    def environment(self):
        """What its ENV instructions set."""
        pairs = (word for step in self.instructions if step.keyword == "ENV" for word in step.words())
        return dict(pair.split("=", 1) for pair in pairs)


def _logical_lines(text):
    """(number, line) with comments dropped and continued lines joined."""
    joined, start = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not joined and not line.strip() or line.lstrip().startswith("#"):
            continue
        start = start if joined else number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        yield start, (joined + line).strip()
        joined = ""
    if joined:
        raise ValueError(f"line {start}: continued past the end of the file")


def parse(text):
    """Its stages, in order. Raises ValueError, naming the line."""
    stages = []
    for number, line in _logical_lines(text):
        keyword, _, rest = line.partition(" ")
        if keyword not in KEYWORDS:
            raise ValueError(f"line {number}: {keyword} is not an instruction that is used here")
        flags = {}
        while match := re.match(r"\s*--([\w-]+)=(\S+)", rest):
            flags[match.group(1)] = match.group(2)
            rest = rest[match.end():]
        if keyword == "FROM":
            image, _, name = rest.strip().partition(" AS ")
            stages.append(Stage(image, name.strip() or str(len(stages)), []))
            continue
        if not stages:
            raise ValueError(f"line {number}: {keyword} before the first FROM")
        stages[-1].instructions.append(Instruction(number, keyword, flags, rest.strip()))
    return stages
