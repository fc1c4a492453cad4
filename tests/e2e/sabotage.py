"""Orders to the device workers of the daemon in SABOTAGED_DIR: what goes wrong in the launches that follow."""

import os
import pathlib


class Orders:
    """Orders by files in a directory; see tests/testing/sabotaged_device.h."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory, "orders")
        self.directory.mkdir(exist_ok=True)
        self.environment = {**os.environ, "GEMMD_SABOTAGE": str(self.directory)}
        self._given = 0

    def give(self, kind, spec_id="", always=False):
        """"fault", "hang" or "crash", for the next launch of a spec, or of any; or for all to come. Returns its file."""
        self._given += 1
        written = self.directory / ".order"
        written.write_text(spec_id, encoding="utf-8")
        order = self.directory / f"{'always-' if always else ''}{kind}-{self._given}"
        written.rename(order)
        return order
