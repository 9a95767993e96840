"""Lets the properties use the second solver of tests/model, and describe problems as tools/fixtures does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "model"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
