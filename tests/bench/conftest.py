"""`bench` is a folder beside `src`, run from the repository's root; it is not installed."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
