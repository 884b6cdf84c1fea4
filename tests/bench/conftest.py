"""The benches are scripts that find one another beside themselves; their tests must too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
