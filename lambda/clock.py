"""When a reading was taken: its timestamp as an instant and as the wearer's wall clock."""

from datetime import UTC, datetime

from bad_reading import BadReading, shortened

from lib.detector.grid import UNIX_MS_RANGE


class Clock:
    """Reads timestamps.

    Parameters
    ----------
    zones : Zones
    zone : tzinfo
        For readings that name no time zone.
    """

    def __init__(self, zones, zone):
        self._zones, self._zone = zones, zone

    def read(self, metric):
        """Return (seconds since 1970, the same by the wearer's wall clock). Raises BadReading."""
        if "timestamp" not in metric:
            raise BadReading("timestamp is missing")
        value, zone = metric["timestamp"], self._zone_of(metric) if "timezone" in metric else self._zone
        try:
            moment = _moment(value)
            offset = moment.utcoffset()
            instant = (moment.replace(tzinfo=UTC) if offset is None else moment).timestamp()
            if not UNIX_MS_RANGE[0] <= 1000 * instant <= UNIX_MS_RANGE[1]:
                raise BadReading(f"timestamp {shortened(value)} lies outside the years 2000 to 2100")
            if offset is None:
                return instant, instant
            return instant, instant + (offset or moment.astimezone(zone).utcoffset()).total_seconds()
        except (ValueError, OverflowError):
            raise BadReading(f"timestamp {shortened(value)} is neither ISO 8601 nor Unix milliseconds") from None

    def can_read(self, metric):
        """Whether `read` accepts a reading's timestamp."""
        try:
            self.read(metric)
            return True
        except BadReading:
            return False

    def _zone_of(self, metric):
        zone = self._zones.get(metric["timezone"])
        if zone is None:
            raise BadReading(f"timezone {shortened(metric['timezone'])} is not an IANA name")
        return zone


def _moment(value):
    """A timestamp as a datetime. Raises ValueError."""
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    if not UNIX_MS_RANGE[0] <= value <= UNIX_MS_RANGE[1]:
        raise ValueError
    return datetime.fromtimestamp(value / 1000, UTC)
