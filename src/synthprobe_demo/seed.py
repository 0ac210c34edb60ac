"""Fills a new centre: a fictional city, its records, and the sentinels that probes look for."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from synthprobe_demo import accounts, jobs, settings
from synthprobe_demo.store import Store

STREETS = ("Main", "Harbor", "Mill", "Cedar", "Quay", "Chapel", "Station", "Orchard", "River", "Union")
TYPES = ("Welfare check", "Traffic collision", "Structure fire", "Medical", "Burglary", "Noise complaint")
TOWNS = {"Harborview": (47.60, -122.30), "Millbrook": (47.75, -122.10)}
_FIRST = ("Ada", "Ben", "Cara", "Dov", "Edda", "Finn", "Gita", "Hugo", "Ines", "Jon")
_LAST = ("Alder", "Birch", "Cole", "Dale", "Elm", "Frost", "Grove", "Heath", "Isle", "Juniper")


def address_points() -> list[tuple[str, str, float, float]]:
    """Every address: its text, town and place."""
    points = [
        (f"{number} {street} Street, {town}", town, round(lat + number / 9000, 5), round(lng + place / 200, 5))
        for town, (lat, lng) in TOWNS.items()
        for place, street in enumerate(STREETS)
        for number in range(2, 72, 2)
    ]
    points += [(f"100 Main Street, {town}", town, lat + 0.02, lng) for town, (lat, lng) in TOWNS.items()]
    return [*points, ("1 Probe Lane", "Harborview", 47.612, -122.288)]


def premises() -> list[tuple[str, str]]:
    """Every known danger: the address, and what it is."""
    stored = [(address, "Oxygen cylinders stored") for address, *_ in address_points()[::60]]
    return [*stored, ("1 Probe Lane", "Aggressive dog on premises")]


def seed(store: Store) -> None:
    """Create the tables and more than 5,000 records, the same every time."""
    chance = random.Random(911)
    now = datetime.now(UTC)
    store.create()
    accounts.create(store)
    settings.create(store)
    jobs.create(store)
    points = address_points()
    store.fill("INSERT INTO address_point VALUES (?, ?, ?, ?)", points)
    store.fill("INSERT INTO premise VALUES (?, ?)", premises())
    people = [
        (f"{chance.choice(_LAST)}, {chance.choice(_FIRST)} {n}", f"19{chance.randint(40, 99)}-01-01", "")
        for n in range(1500)
    ]
    store.fill("INSERT INTO person VALUES (?, ?, ?)", [*people, ("Proba, Synthia", "1990-01-01", "")])
    cars = [(f"HVB {n:04}", chance.choice(("sedan", "van", "truck")), people[n][0]) for n in range(800)]
    store.fill("INSERT INTO vehicle VALUES (?, ?, ?)", [*cars, ("SYN 001", "sedan", "Proba, Synthia")])
    store.fill(
        "INSERT INTO bolo VALUES (?, ?)", [("Grey van, partial plate HVB 03, left scene of collision", now.isoformat())]
    )
    incidents = []
    for n in range(3000):
        address, _, lat, lng = chance.choice(points[:-1])
        at = now - timedelta(minutes=20 * (3009 - n))
        stages = [(at + timedelta(seconds=chance.randint(20, 50) * k)).isoformat() for k in (1, 3, 9, 60)]
        incidents.append(
            (f"HV-26-{n:06}", chance.choice(TYPES), chance.randint(1, 5), address, lat, lng, "Closed", "", "",
             at.isoformat(), *stages, "Handled", f"seed-{n}", 0, 1)
        )  # fmt: skip
    for n, priority in enumerate((1, 2, 2, 3, 3, 3, 4, 4, 5)):
        address, _, lat, lng = points[n * 37]
        created = (now - timedelta(minutes=5 + 13 * n)).isoformat()
        incidents.append(
            (f"HV-26-{3000 + n:06}", TYPES[n % 6], priority, address, lat, lng, "Active", "", "", created, None, None,
             None, None, None, f"seed-{3000 + n}", 0, 1)
        )  # fmt: skip
    store.fill(f"INSERT INTO incident VALUES ({', '.join('?' * 18)})", incidents)
    units = []
    for n in range(22):
        agency = ("HPD", "HFD", "EMS")[n % 3]
        busy = f"HV-26-{3000 + n // 3:06}" if n % 3 == 0 and n < 12 else None
        units.append((f"{agency}-{10 + n}", agency, busy, 0, 47.59 + (n * 7 % 22) / 440, -122.32 + n / 340))
    units += [("SYN-01", "SYN", None, 1, 47.61, -122.29), ("SYN-02", "SYN", None, 1, 47.63, -122.27)]
    units += [(f"SYN-0{n}", "SYN", None, 1, 47.63, -122.27 + n / 1000) for n in (3, 4, 5, 6)]
    store.fill(
        "INSERT INTO unit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, '')",
        [
            (id, agency, "NotAvailable" if busy else "Available", "OnScene" if busy else "InService", busy, lat, lng,
             0.0, now.isoformat(), now.isoformat(), synthetic)
            for id, agency, busy, synthetic, lat, lng in units
        ],
    )  # fmt: skip
    store.write("UPDATE incident SET status = 'ResourcesOnscene' WHERE number IN (SELECT incident FROM unit)")
    store.event("system:start", "", "Shift log opened")
