"""Singer tap for Clover's Merchant Data Export API."""

import sys

if sys.platform == "win32":
    raise ImportError(
        "tap-clover-export needs Linux or macOS, since Windows locks files in another way; "
        "use WSL there."
    )
