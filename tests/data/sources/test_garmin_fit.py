import struct

import pytest
from exports import counts, rates

from lib.data import text
from lib.data.sources import garmin_fit

MIDNIGHT_UTC_S = 1_720_000_000 // 86400 * 86400  # 2024-07-03T00:00:00Z
TYPES = {"enum": (0x00, "B"), "uint8": (0x02, "B"), "uint16": (0x84, "H"), "uint32": (0x86, "I"), "byte": (0x0D, "B")}
MESSAGES = {  # global number, and fields: (number, type)
    "file_id": (0, {"type": (0, "enum")}),
    "monitoring_info": (103, {"timestamp": (253, "uint32"), "local_timestamp": (0, "uint32")}),
    "monitoring": (
        55,
        {
            "timestamp": (253, "uint32"),
            "timestamp_16": (26, "uint16"),
            "heart_rate": (27, "uint8"),
            "cycles": (3, "uint32"),
            "active_calories": (19, "uint16"),
            "distance": (2, "uint32"),
            "activity_type": (5, "enum"),
            "current_activity_type_intensity": (24, "byte"),
        },
    ),
}


def crc(data):
    """The CRC of a FIT file, as its protocol defines it."""
    table = [0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401]
    table += [0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400]
    value = 0
    for byte in data:
        for nibble in (byte & 0xF, byte >> 4):
            value = (value >> 4) & 0x0FFF ^ table[value & 0xF] ^ table[nibble]
    return value


def message(name, values):
    """A definition and a data message of these fields."""
    number, fields = MESSAGES[name]
    shape = b"".join(
        bytes([fields[field][0], struct.calcsize(TYPES[fields[field][1]][1]), TYPES[fields[field][1]][0]])
        for field in values
    )
    definition = struct.pack("<BBBHB", 0x40, 0, 0, number, len(values)) + shape
    return definition + b"\0" + b"".join(struct.pack("<" + TYPES[fields[f][1]][1], v) for f, v in values.items())


def fit(*messages, kind=32):
    """A file of messages (name, fields), of monitoring unless `kind` names another type."""
    body = b"".join(message(name, values) for name, values in (("file_id", {"type": kind}), *messages))
    head = struct.pack("<BBHI4s", 14, 0x20, 2132, len(body), b".FIT")
    whole = head + struct.pack("<H", crc(head)) + body
    return whole + struct.pack("<H", crc(whole))


def began(local_offset_s):
    """The opening message of a file that begins at local midnight, and that moment in FIT seconds."""
    at = MIDNIGHT_UTC_S - local_offset_s - garmin_fit.FIT_EPOCH_S
    return ("monitoring_info", {"timestamp": at, "local_timestamp": at + local_offset_s}), at


def test_the_hour_is_the_watchs_own(convert):
    info, at = began(2 * 3600)
    table, report = convert({"a.fit": fit(info, ("monitoring", {"timestamp": at + 36_000, "heart_rate": 61}))})
    assert rates(table) == [("2024-07-03 10:00:00", 61)]
    assert table["instant_ms"].iloc[-1] == 1000 * (MIDNIGHT_UTC_S + 8 * 3600)


@pytest.mark.parametrize(
    ("clock", "low", "later"),
    [
        (0x1_0000, 0x0010, 0x1_0010),  # within the same 18 hours
        (0x1_FFF0, 0x0010, 0x2_0010),  # rolled over
        (0x1_0010, 0x0010, 0x1_0010),  # the same second
    ],
)
def test_the_lower_16_bits_of_a_time_roll_over(clock, low, later):
    assert garmin_fit.moment({"timestamp_16": low}, clock) == later


def test_compact_heart_rates_follow_the_last_whole_time(convert):
    info, at = began(0)
    base = at + (0x10000 - at % 0x10000) - 30  # 30 s before the bits roll over
    compact = [("monitoring", {"timestamp_16": (base + s) % 0x10000, "heart_rate": 60 + s}) for s in (20, 40)]
    table, _ = convert({"a.fit": fit(info, ("monitoring", {"timestamp": base, "heart_rate": 60}), *compact)})
    assert table["heartRate"].tolist() == [60, 80, 100]
    assert table["instant_ms"].diff().tolist()[1:] == [20_000, 20_000]


def walked(at, raw_cycles, kind=6):
    return ("monitoring", {"timestamp": at, "cycles": raw_cycles, "current_activity_type_intensity": kind | 1 << 5})


def test_steps_are_the_sum_of_walking_and_running_counters(convert):
    info, at = began(0)
    hour = 3600
    messages = [walked(at + hour, 100), walked(at + 2 * hour, 300), walked(at + 2 * hour, 80, kind=1)]
    messages.append(walked(at + 3 * hour, 999, kind=2))  # cycling turns cranks, and takes no steps
    table, report = convert({"a.fit": fit(info, *messages)})
    assert report.totals["steps"] == 380
    assert counts(table)[-1] == ("02:00:00", 380)
    assert ("01:00:00", 100 + 40) in counts(table)  # half of what was run by 2 o'clock


def test_the_files_of_a_day_go_on_counting_and_midnight_closes_the_day(convert):
    info, at = began(0)
    day = 86_400
    morning = fit(info, walked(at + 3600, 500))
    evening = fit(("monitoring_info", {"timestamp": at + 7200, "local_timestamp": at + 7200}), walked(at + day, 900))
    info2 = ("monitoring_info", {"timestamp": at + day, "local_timestamp": at + day})
    _, report = convert({"1.fit": morning, "2.fit": evening, "3.fit": fit(info2, walked(at + day + 60, 40))})
    assert report.totals["steps"] == 940


def test_calories_are_active_and_distance_is_in_centimetres(convert):
    info, at = began(0)
    values = {"timestamp": at + 60, "active_calories": 7, "distance": 12_345, "activity_type": 6}
    _, report = convert({"a.fit": fit(info, ("monitoring", values))})
    assert report.totals == {"calories": 7, "distance": pytest.approx(123.45)}
    assert report.calories == ["active"]


def test_a_file_that_was_cut_off_is_refused(convert):
    info, at = began(0)
    with pytest.raises(text.SourceError, match="a.fit"):
        convert({"a.fit": fit(info, walked(at + 60, 5))[:-9]})


def test_a_workouts_file_is_left_out_and_counted(convert):
    info, at = began(0)
    day = fit(info, ("monitoring", {"timestamp": at + 60, "heart_rate": 61}))
    workout = fit(info, ("monitoring", {"timestamp": at + 90, "heart_rate": 150}), kind=4)
    table, report = convert({"day.fit": day, "run.fit": workout})
    assert [bpm for _, bpm in rates(table)] == [61]
    assert report.notes == {"FIT files without monitoring: workouts, sleep, settings": 1}
