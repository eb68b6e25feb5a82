import pytest
from exports import counts, rates

from lib.data import archive, text

START = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!ELEMENT HealthData (ExportDate,Me,(Record|Workout)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
]>
<HealthData locale="en_US">
"""


def record(kind, value, start, end=None, *, unit="count", source="Watch"):
    kind = f"HKQuantityTypeIdentifier{kind}"
    end = end or start
    return (
        f'<Record type="{kind}" sourceName="{source}" device="&lt;HKDevice: 0x28&gt;, name:a, b" unit="{unit}"'
        f' startDate="2024-10-26 {start}" endDate="2024-10-26 {end}" value="{value}"/>\n'
    )


def export(*records, start=START):
    return start + "".join(records) + "</HealthData>\n"


def heart(value, start):
    return record("HeartRate", value, start, unit="count/min")


def test_the_offset_is_the_phones_and_a_zone_gives_the_wearers_hour(convert):
    xml = export(heart(64, "09:00:00 +0100"))  # exported in winter; Paris has summer time on that day
    assert rates(convert({"e.xml": xml})[0]) == [("2024-10-26 09:00:00", 64)]
    table, report = convert({"e.xml": xml}, timezone="Europe/Paris")
    assert rates(table) == [("2024-10-26 10:00:00", 64)]
    assert report.clocks == ["UTC, moved to Europe/Paris"]


def test_steps_of_watch_and_phone_are_counted_once_and_the_watchs_count(convert):
    both = [
        record("StepCount", count, "09:00:00 +0100", "09:05:00 +0100", source=source)
        for source, count in (("iPhone", 120), ("Watch", 100))
    ]
    table, report = convert({"e.xml": export(heart(64, "09:01:00 +0100"), *both)})
    assert report.totals == {"steps": 100}
    assert counts(table) == [("09:00:00", 0), ("09:01:00", 20), ("09:05:00", 100)]
    assert report.notes == {"steps of a second device on the same day": 1}


@pytest.mark.parametrize(("unit", "metres"), [("km", 1000), ("mi", 1609.344), ("m", 1), ("ft", 0.3048)])
def test_the_unit_of_a_distance_is_read(convert, unit, metres):
    walked = record("DistanceWalkingRunning", 2, "09:00:00 +0100", "09:05:00 +0100", unit=unit)
    _, report = convert({"e.xml": export(walked)})
    assert report.totals["distance"] == pytest.approx(2 * metres, abs=0.01)


@pytest.mark.parametrize(("unit", "kcal"), [("Cal", 1), ("kcal", 1), ("cal", 0.001), ("kJ", 0.239)])
def test_a_large_calorie_is_a_kilocalorie_and_a_small_one_is_not(convert, unit, kcal):
    burned = record("ActiveEnergyBurned", 50, "09:00:00 +0100", "09:05:00 +0100", unit=unit)
    _, report = convert({"e.xml": export(burned)})
    assert report.totals["calories"] == pytest.approx(50 * kcal, abs=0.01)
    assert report.calories == ["active"]


def test_an_unknown_unit_is_left_out_and_named(convert):
    walked = record("DistanceWalkingRunning", 2, "09:00:00 +0100", unit="furlong")
    _, report = convert({"e.xml": export(heart(64, "09:00:00 +0100"), walked)})
    assert report.notes == {"Apple Health distance in the unit 'furlong'": 1}


def test_other_records_are_counted(convert):
    _, report = convert({"e.xml": export(heart(64, "09:00:00 +0100"), record("BodyMass", 70, "09:00:00 +0100"))})
    assert report.notes == {"Apple Health records of other metrics": 1}


def test_a_faulty_document_type_is_no_obstacle(convert):
    broken = START.replace("<!ATTLIST HealthData", "<!ATTLIST HealthData\n  <!-- lost")
    assert rates(convert({"e.xml": export(heart(64, "09:00:00 +0100"), start=broken)})[0])


def test_more_records_than_are_gathered_at_once_are_all_there(convert, monkeypatch):
    monkeypatch.setattr("lib.data.sources.apple_health._RECORDS_AT_ONCE", 3)
    monkeypatch.setattr("lib.data.sources.apple_health._BLOCK", 512)
    monkeypatch.setattr("lib.data.sources.apple_health.MOST_DOCTYPE_BYTES", 512)
    table, _ = convert({"e.xml": export(*(heart(60 + s, f"09:00:{s:02d} +0100") for s in range(50)))})
    assert [bpm for _, bpm in rates(table)] == list(range(60, 110))


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE HealthData [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n<HealthData>&b;',
        '<!DOCTYPE HealthData [<!ENTITY a SYSTEM "file:///etc/hostname">]>\n<HealthData>&a;',
    ],
)
def test_entities_are_refused(convert, declared):
    with pytest.raises(archive.ArchiveError, match="entities"):
        convert({"e.xml": export(heart(64, "09:00:00 +0100"), start=declared)})


def test_a_file_that_was_cut_off_is_refused(convert):
    with pytest.raises(text.SourceError, match="whole XML"):
        convert({"e.xml": export(heart(64, "09:00:00 +0100"))[:-20]})
