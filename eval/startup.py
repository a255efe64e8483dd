"""How long `textsynth --help` takes (median of 9 starts), and what `import textsynth` loads."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time

HEAVY = ("torch", "transformers", "pandas", "datasets", "numpy", "pydantic")


def main() -> None:
    command = shutil.which("textsynth") or "textsynth"
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run([command, "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    code = "import sys, textsynth; print(*[m for m in sys.argv[1:] if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code, *HEAVY], check=True, capture_output=True, text=True).stdout
    print(json.dumps({"help_seconds_median": round(statistics.median(seconds), 3), "heavy_modules": loaded.split()}))


if __name__ == "__main__":
    main()
