"""Time zones by their IANA names, with a limit on the number of names in a request.

They come from the runtime (/usr/share/zoneinfo, or the package tzdata). Without that data only UTC is known.
"""

import re
from datetime import UTC
from zoneinfo import ZoneInfo

MOST = 100  # names in a request: each may take a search of several folders
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")  # Python searches by folders, recursively


class Zones:
    """The time zones that a request names. Each name is looked up once."""

    def __init__(self):
        self._zones = {"UTC": UTC}  # the default must not need time zone data

    def get(self, name):
        """The time zone of that name; None if there is none, or after MOST other names."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        if name not in self._zones and len(self._zones) <= MOST:
            self._zones[name] = _load(name)
        return self._zones.get(name)


def _load(name):
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None
