"""Apple Health's export.xml, read as a stream: hundreds of megabytes take no more memory than their numbers."""

import re
from xml.parsers import expat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.data import archive, series, text

NAME = "Apple Health export.xml"
ASSUMED = (
    "times are instants: their offset is that of the phone at export, not of where the wearer was",
    "calories are active energy, without what the body burns at rest",
    "a time without a step record is a time without steps",
    "each app and device writes its own steps: one of them is read a day",
)
_PREFIX = "HKQuantityTypeIdentifier"
_CHANNELS = {
    f"{_PREFIX}HeartRate": series.HEART_RATE,
    f"{_PREFIX}StepCount": "steps",
    f"{_PREFIX}DistanceWalkingRunning": "distance",
    f"{_PREFIX}ActiveEnergyBurned": "calories",
}
_UNITS = {  # into bpm, count, m, kcal
    "count/min": 1.0,
    "count/s": 60.0,
    "count": 1.0,
    "m": 1.0,
    "km": 1000.0,
    "mi": 1609.344,
    "ft": 0.3048,
    "yd": 0.9144,
    "cm": 0.01,
    "Cal": 1.0,  # a large calorie
    "kcal": 1.0,
    "cal": 0.001,
    "kJ": 1 / 4.184,
    "J": 1 / 4184.0,
}
_BLOCK = 1 << 20
_RECORDS_AT_ONCE = 50_000
_FIELDS = ("startDate", "endDate", "value")
MOST_DOCTYPE_BYTES = 1 << 16


def recognises(entry):
    """Whether an entry is one of this format's files."""
    start = text.head_text(entry)
    return "<HealthData" in start and "<ClinicalDocument" not in start


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        records = _Records(entry, left_out)
        parser = expat.ParserCreate(namespace_separator=None)
        parser.EntityDeclHandler = records.refuse_entity
        parser.StartElementHandler = records.start_element
        try:
            with entry.open() as stream:
                for block in _without_doctype(stream, entry):
                    parser.Parse(block, False)
                    yield from records.gathered(_RECORDS_AT_ONCE)
                parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise text.SourceError(f"expected a whole XML file ({error})", file=entry.name) from error
        yield from records.gathered(1)


def _without_doctype(stream, entry):
    """Blocks of the file without its document type, which some versions of iOS write with mistakes."""
    start = stream.read(MOST_DOCTYPE_BYTES)
    declared = re.search(rb"<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>\s*(?=<HealthData)", start, re.DOTALL)
    if declared and b"<!ENTITY" in declared[0]:
        raise archive.ArchiveError(entry.name, "declares XML entities, which no export of Apple Health does")
    yield start.replace(declared[0], b"", 1) if declared else start
    while block := stream.read(_BLOCK):
        yield block


class _Records:
    """The records read so far that are not yet a Series, by channel, device and unit."""

    def __init__(self, entry, left_out):
        self.entry, self.left_out, self.pending = entry, left_out, {}

    def refuse_entity(self, *_):
        """Called by expat for a declared entity."""
        raise archive.ArchiveError(self.entry.name, "declares XML entities, which no export of Apple Health does")

    def start_element(self, name, attributes):
        """Called by expat for each element: keeps the four kinds of records."""
        if name != "Record":
            return
        channel = _CHANNELS.get(attributes.get("type"))
        if channel is None:
            self.left_out["Apple Health records of other metrics"] += 1
            return
        key = (channel, attributes.get("sourceName", "").strip(), attributes.get("unit", ""))
        fields = self.pending.setdefault(key, ([], [], []))
        for values, field in zip(fields, _FIELDS, strict=True):
            values.append(attributes.get(field, ""))

    def gathered(self, at_least):
        """Series of all that is pending, once it is so many records."""
        if sum(len(fields[0]) for fields in self.pending.values()) < at_least:
            return
        for (channel, device, unit), fields in self.pending.items():
            if unit in _UNITS:
                yield self._series(channel, device, unit, fields)
            else:
                self.left_out[f"Apple Health {channel} in the unit {archive.printable(unit)!r}"] += len(fields[0])
        self.pending = {}

    def _series(self, channel, device, unit, fields):
        start, offset = _instants(fields[0], self.entry, "startDate")
        end = start if channel == series.HEART_RATE else _instants(fields[1], self.entry, "endDate")[0]
        return series.Series(
            channel,
            start,
            _UNITS[unit] * text.numbers(fields[2], self.entry),
            series.PHONE,
            length_ms=end - start,
            offset_ms=offset,
            device=device,
            sparse=True,
            meaning="active" if channel == "calories" else "",
        )


def _instants(texts, entry, column):
    """Instants and offsets (ms) of texts such as `2020-03-12 09:00:12 -0700`."""
    texts = pa.array(texts, pa.string())
    wall = text.times(pc.utf8_slice_codeunits(texts, 0, 19), ("%Y-%m-%d %H:%M:%S",), entry, column)
    distinct = pc.dictionary_encode(pc.utf8_slice_codeunits(texts, 19, 32))
    offset = np.array([text.offset_ms(name, entry, column) for name in distinct.dictionary.to_pylist()], dtype=np.int64)
    offset = offset[distinct.indices.to_numpy()]
    return wall - offset, offset
