"""The chaos run, in short; GEMMD_CHAOS_SECONDS makes it longer, and chaos.py alone writes a report."""

import os
import sys
import unittest

import chaos
from sanitized import SANITIZED

# Under a sanitizer the daemon takes longer to start again: three acts in 33 seconds, nine recoveries in 150.
SECONDS = float(os.environ.get("GEMMD_CHAOS_SECONDS", "150" if SANITIZED else "25"))
RECOVERY_MS = 1000


class ChaosTest(unittest.TestCase):
    def test_nothing_is_wrong_lost_or_left_behind(self):
        report, faults = chaos.run(SECONDS)
        print(report, file=sys.stderr)
        self.assertEqual(faults, {})
        self.assertGreater(report["calls"], 100)
        self.assertGreater(sum(report["acts"].values()), 5)
        self.assertLessEqual(report["recovery_ms"]["p50"], RECOVERY_MS)
        recoveries = report["worker_recoveries"]
        self.assertGreaterEqual(recoveries["within_1s"], 0.9 * recoveries["count"])


if __name__ == "__main__":
    unittest.main()
