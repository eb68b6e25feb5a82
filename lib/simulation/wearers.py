"""Simulated wearers, drawn from a varied adult population."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Wearer:
    """One person's constant traits: body, heart, gait and habits."""

    user_id: str
    age: float  # years
    sex: str  # "female" or "male"
    height_m: float
    weight_kg: float
    resting_hr: float  # bpm, awake and lying, as watches report it once a day
    max_hr: float  # bpm
    vo2max: float  # mL oxygen per kg and minute
    oxygen_cost: float  # of moving, relative to the ACSM equations
    circadian_bpm: float  # half of the difference between night and afternoon
    sitting_bpm: float  # awake and sitting, above resting_hr
    sleep_drop_bpm: float  # asleep, below resting_hr, besides the circadian rhythm
    rise_s: float  # time constant of heart rate when exertion begins
    fall_s: float  # and when it ends
    fast_noise_bpm: float  # from reading to reading: breathing, beat intervals, the sensor
    slow_noise_bpm: float  # over minutes: posture, meals, conversation, mood
    slow_noise_s: float
    walking_cadence: float  # steps per minute
    running_cadence: float
    step_m: float  # walking step length at walking_cadence
    fidgets_per_h: float  # short movements of a few steps while at rest
    bustle: float  # how often the wearer is active, 1 = average
    commutes: bool
    runs_per_day: float
    rides_per_day: float  # bicycle or the like: effort without steps
    stress_share: float  # share of a day's bouts
    wake_h: float  # hour of waking on workdays
    weekend_lag_h: float  # hours later at weekends
    sleep_h: float  # hours of sleep a night


def draw_wearer(rng, user_id):
    """Draw a wearer from the population.

    Parameters
    ----------
    rng : numpy.random.Generator
    user_id : str

    Returns
    -------
    Wearer

    Notes
    -----
    Sources of the distributions; the others are chosen wide, not fitted.

    - Resting heart rate is about 65 bpm, higher in women (Quer et al. 2020, PLoS ONE 15: e0227709: 40 to 109).
    - Maximal heart rate is 208 - 0.7 age (Tanaka et al. 2001, J Am Coll Cardiol 37: 153).
    - VO2max is 15.3 max/resting (Uth et al. 2004, Eur J Appl Physiol 91: 111), less in untrained people.
    - Heart rate rises with a time constant of 57.6 +- 23.6 s (Hunt et al. 2015, BioMed Eng OnLine 14: 117). It falls
      more slowly.
    - A walking step is about 0.41 of the height.
    """
    body = _draw_body(rng)
    heart = _draw_heart(rng, age=body["age"], female=body["sex"] == "female")
    return Wearer(user_id=user_id, **body, **heart, **_draw_gait(rng, body["height_m"]), **_draw_habits(rng))


def _draw_body(rng):
    female = bool(rng.random() < 0.5)
    height_m = rng.normal(1.64 if female else 1.77, 0.07)
    body_mass_index = np.clip(rng.normal(25.5, 4), 18, 40)
    return {
        "age": rng.uniform(19, 75),
        "sex": "female" if female else "male",
        "height_m": height_m,
        "weight_kg": body_mass_index * height_m**2,
    }


def _draw_heart(rng, *, age, female):
    resting_hr = np.clip(rng.normal(66.5 if female else 63, 8), 42, 95)
    max_hr = np.clip(rng.normal(208 - 0.7 * age, 7), 140, 210)
    return {
        "resting_hr": resting_hr,
        "max_hr": max_hr,
        "vo2max": np.clip(15.3 * max_hr / resting_hr * rng.uniform(0.75, 1.0), 22, 65),
        "oxygen_cost": rng.uniform(0.95, 1.25),
        "circadian_bpm": rng.uniform(1.5, 5),
        "sitting_bpm": rng.uniform(0, 11),
        "sleep_drop_bpm": rng.uniform(-1, 5),
        "rise_s": np.clip(rng.normal(58, 18), 25, 110),
        "fall_s": np.clip(rng.normal(85, 22), 45, 150),
        "fast_noise_bpm": rng.uniform(0.9, 2.6),
        "slow_noise_bpm": rng.uniform(2, 4.5),
        "slow_noise_s": rng.uniform(240, 1500),
    }


def _draw_gait(rng, height_m):
    return {
        "walking_cadence": np.clip(rng.normal(110, 6), 97, 123),
        "running_cadence": np.clip(rng.normal(162, 7), 150, 175),
        "step_m": height_m * rng.normal(0.414, 0.02),
    }


def _draw_habits(rng):
    runner, rider = rng.random(2) < (0.4, 0.5)
    return {
        "fidgets_per_h": rng.uniform(4, 28),
        "bustle": rng.uniform(0.4, 1.5),
        "commutes": bool(rng.random() < 0.6),
        "runs_per_day": rng.uniform(0.15, 0.7) if runner else 0.0,
        "rides_per_day": rng.uniform(0.1, 0.6) if rider else 0.0,
        "stress_share": rng.uniform(0.01, 0.06),
        "wake_h": np.clip(rng.normal(6.8, 1.0), 4.5, 10),
        "weekend_lag_h": rng.uniform(0, 2.2),
        "sleep_h": np.clip(rng.normal(7.3, 0.7), 5.5, 9),
    }
