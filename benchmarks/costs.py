"""What does a day of many wearers cost to clean, score and store? Computes it from measured rates and prints a table.

    .venv/bin/python benchmarks/costs.py --clean 820000 --score 2500 --bytes 322000 --request-ms 18 --log-bytes 1500

benchmarks/cleaning.py (one worker), scoring.py (one worker, and all bytes of a wearer-day) and handler.py (100
readings, handler) print the rates. The bytes of a log line are those of the function's line for such a request, plus
what CloudWatch adds. The prices are AWS list prices for us-east-1, x86_64, as of November 2026, without free tier or
discount: look them up again before use. 1,769 MB are one core according to "Configure Lambda function memory", AWS
Lambda developer guide.
"""

import argparse

SAMPLES_A_DAY, WINDOWS_A_DAY = 17_280, 1_440  # every 5 s; a window a minute
REQUESTS_A_DAY = 432  # a watch sends 100 readings every 200 s: 40 new ones and the 60 before them
CORE_GB = 1_769 / 1_024  # the memory at which Lambda gives one core; with less, time grows in proportion
CORE_HOUR = 0.05  # $, on demand
LAMBDA_GB_S, LAMBDA_REQUEST, API_REQUEST = 1.66667e-5, 0.20e-6, 1.00e-6  # $
S3_GB_MONTH, LOG_GB = 0.023, 0.50  # $; LOG_GB for ingestion
WEARERS = (1_000, 100_000, 10_000_000)
NIGHT_H = 8


def a_day(wearers, *, clean, score, size, request_ms, log_bytes):
    """Hours, cores, GB and dollars for a day of so many wearers, {name: figure}.

    Parameters
    ----------
    clean, score : float
        Readings cleaned, and windows cleaned and scored, per second and core.
    size : float
        Bytes of a wearer-day: raw, clean and scored.
    request_ms, log_bytes : float
        Of the function on one core, for a request of 100 readings.
    """
    core_s = wearers * WINDOWS_A_DAY / score
    requests = wearers * REQUESTS_A_DAY
    gigabytes = wearers * size / 1e9
    running = requests * request_ms / 1000
    return {
        "cleaning alone, core hours": wearers * SAMPLES_A_DAY / clean / 3600,
        "cleaned and scored, core hours": core_s / 3600,
        "hours on two cores": core_s / 3600 / 2,
        f"cores to be done in {NIGHT_H} h": core_s / 3600 / NIGHT_H,
        "$ a day for these cores, here or in a cluster": core_s / 3600 * CORE_HOUR,
        "kept, GB": gigabytes,
        "$ a month for a day kept": gigabytes * S3_GB_MONTH,
        "Lambda: cores busy at once, on average": running / 86_400,
        "Lambda: $ a day, the function": running * CORE_GB * LAMBDA_GB_S + requests * LAMBDA_REQUEST,
        "Lambda: $ a day, its log": requests * log_bytes / 1e9 * LOG_GB,
        "Lambda: $ a day, the HTTP API": requests * API_REQUEST,
    }


def main(options):
    """Print the table: one row a figure, one column a number of wearers."""
    rates = {"clean": options.clean, "score": options.score, "size": options.bytes}
    rates |= {"request_ms": options.request_ms, "log_bytes": options.log_bytes}
    days = [a_day(wearers, **rates) for wearers in WEARERS]
    print(f"| a day of | {' | '.join(f'{wearers:,}' for wearers in WEARERS)} |")
    print("|---|" + "---|" * len(WEARERS))
    for what in days[0]:
        cells = [f"{day[what]:,.3g}" if day[what] < 100 else f"{day[what]:,.0f}" for day in days]
        print(f"| {what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clean", type=float, required=True, help="readings cleaned a second and core")
    parser.add_argument("--score", type=float, required=True, help="windows cleaned and scored a second and core")
    parser.add_argument("--bytes", type=float, required=True, help="of a wearer-day kept: raw, clean and scored")
    parser.add_argument("--request-ms", type=float, required=True, help="of the function, for 100 readings")
    parser.add_argument("--log-bytes", type=float, required=True, help="of the function's log, for such a request")
    main(parser.parse_args())
