"""Run folders -> numbers for figures -> one HTML file."""

import os

from trialwise.base.files import cache_folder

# Before matplotlib is imported: by itself it makes folders in the user's home.
os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
