"""Time zones by their IANA names, with a limit on the number of names in a request.

They come from the runtime (/usr/share/zoneinfo, or the package tzdata). An abbreviation such as JST or IST is not a
name: several zones share some of them, so none is guessed.
"""

import re
from datetime import UTC
from zoneinfo import ZoneInfo

from http_event import Problem

MOST = 100  # names in a request: each may take a search of several folders
_ALWAYS_THERE = "Etc/UTC"
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")  # Python searches by folders, recursively


class Zones:
    """The time zones that a request names. Each name is looked up once."""

    def __init__(self):
        self._zones = {"UTC": UTC}  # the default must not need time zone data

    def get(self, name):
        """The time zone of that name, or None.

        Raises
        ------
        Problem
            400 after MOST other names, 503 if the runtime has no time zone data. A reading must not be rejected for
            good because of either.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        if name not in self._zones:
            if len(self._zones) > MOST:
                detail = f"timezone: expected at most {MOST} names in a request: send several requests"
                raise Problem(400, "too_many_timezones", detail, field="timezone")
            self._zones[name] = _load(name)
        return self._zones[name]


def _load(name):
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        if name != _ALWAYS_THERE and _load(_ALWAYS_THERE) is None:
            detail = "the function's runtime has no time zone data: send timestamps with an offset, or in UTC"
            raise Problem(503, "no_timezones", detail, field="timezone") from None
        return None
