"""Time zones by their IANA names, as many as a request may ask for.

They are the runtime's (/usr/share/zoneinfo, or the package tzdata): where it has none, only UTC is known.
"""

import re
from datetime import UTC
from zoneinfo import ZoneInfo

MOST = 100  # names in one request, each of which may take a search of several folders
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")  # Python looks a name up part by part


class Zones:
    """The time zones that one request names; each name is looked up once."""

    def __init__(self):
        self._found = {"UTC": UTC}  # the default is to need no time zone data

    def get(self, name):
        """The time zone of that name; None where there is none, or after MOST other names."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        if name not in self._found and len(self._found) <= MOST:
            self._found[name] = _looked_up(name)
        return self._found.get(name)


def _looked_up(name):
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None
