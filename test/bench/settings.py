# settings.py - how big a run of the benchmark is, from the environment (README.md of test/ lists it).
import os
import re
from dataclasses import dataclass, field

PARTS = ("engine", "sql", "quantizers", "inserts", "scale")


class BadSetting(Exception):
    pass


@dataclass
class DataSet:
    rows: int
    dimensions: int

    @property
    def name(self):
        return f"{self.rows:,} x {self.dimensions}"


@dataclass
class Settings:
    size: str
    sets: list
    queries: int
    duration: tuple  # of a run of pgbench, as its options say it; each is done `rounds` times
    rounds: int
    engine_rounds: int
    inserted: int  # rows into the table that vectord follows
    inserted_rival: int  # rows into the table that has pgvector's index, which takes long for each
    explained: int  # searches under EXPLAIN ANALYZE
    scale: tuple  # rows of two indexes whose searches are compared
    parts: set = field(default_factory=lambda: set(PARTS))
    out: str = "build/bench"

    def does(self, part):
        return part in self.parts


def _sizes():
    return {
        "full": Settings("full", [DataSet(500000, 128), DataSet(200000, 384)], 1000, ("-T", 4), 2, 5, 100000,
                         5000, 500, (100000, 1000000)),
        "small": Settings("small", [DataSet(50000, 128), DataSet(20000, 384)], 300, ("-T", 1), 1, 3, 20000,
                          300, 200, (10000, 100000)),
        "tiny": Settings("tiny", [DataSet(6000, 24)], 50, ("-t", 50), 1, 1, 1000, 100, 30, (1000, 10000)),
    }


def _data_set(text):
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or int(match[1]) < 100 or not 1 <= int(match[2]) <= 2000:
        raise BadSetting(f'BENCH_SETS has "{text}": it is ROWSxDIMENSIONS, from 100 rows on, to 2,000 dimensions.')
    return DataSet(int(match[1]), int(match[2]))


def _whole_number(name, least):
    text = os.environ[name]
    if not text.isdigit() or int(text) < least:
        raise BadSetting(f'{name} is "{text}": it is a whole number, {least} or more.')
    return int(text)


def read_settings():
    size = os.environ.get("BENCH") or "full"
    if size not in _sizes():
        raise BadSetting(f'BENCH is "{size}": it is full, small or tiny.')
    settings = _sizes()[size]
    if os.environ.get("BENCH_SETS"):
        settings.sets = [_data_set(text) for text in re.split(r"[\s,]+", os.environ["BENCH_SETS"].strip())]
    if os.environ.get("BENCH_ONLY"):
        settings.parts = set(re.split(r"[\s,]+", os.environ["BENCH_ONLY"].strip()))
        unknown = settings.parts - set(PARTS)
        if unknown:
            raise BadSetting(f"BENCH_ONLY has {', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}.")
    if os.environ.get("BENCH_QUERIES"):
        settings.queries = _whole_number("BENCH_QUERIES", 10)
    if os.environ.get("BENCH_SECONDS"):
        settings.duration = ("-T", _whole_number("BENCH_SECONDS", 1))
    settings.out = os.environ.get("BENCH_OUT") or settings.out
    return settings
