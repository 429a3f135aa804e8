# targets.py - what has to hold between the figures of one run: each a ratio, its bound, and whether it is met.
from dataclasses import dataclass
from typing import Optional

from driver import time_at_recall


@dataclass
class Target:
    what: str
    ratio: Optional[float]  # None: not measured
    operator: str  # "<=" or ">="
    bound: float
    detail: str = ""

    def verdict(self):
        if self.ratio is None:
            return "refused" if self.detail.startswith("refused") else "not measured"
        met = self.ratio <= self.bound if self.operator == "<=" else self.ratio >= self.bound
        return "met" if met else "MISSED"


def ratio(numerator, denominator):
    return numerator / denominator if numerator is not None and denominator else None


# One target from a measure of two columns.
def _compared(what, results, measure, unit, operator, bound, missing):
    ours, rival = (results["columns"].get(name, {}).get(measure) for name in ("ours", "pgvector"))
    detail = missing or ""
    if ours is not None and rival is not None:
        detail = f"{ours:,.3g} against {rival:,.3g} {unit}" if max(ours, rival) < 1000 \
            else f"{ours:,.0f} against {rival:,.0f} {unit}"
    return Target(what, ratio(ours, rival), operator, bound, detail)


def _against_pgvector(results):
    missing = results.get("pgvector_missing")
    missing = f"pgvector: {missing}" if missing else None
    enough = all(results["columns"].get(name, {}).get("recall", 0) >= 0.98 for name in ("ours", "pgvector"))
    if not missing and not enough:
        missing = "a recall of 0.98 was not reached"
    compared = results if enough or missing else {"columns": {}}
    return [
        _compared("SQL latency p50, 1 client, against pgvector", compared, "p50_ms_1", "ms", "<=", 0.25, missing),
        _compared("SQL queries/s, 8 clients, against pgvector", compared, "qps_8", "per s", ">=", 4, missing),
        _compared("build, copy included, against CREATE INDEX", results, "build_s", "s", "<=", 0.2, missing),
        _compared("rows/s into an indexed table, against pgvector", results, "insert_rows_per_s", "per s", ">=", 20,
                  missing),
    ]


def _many_clients(results):
    rates = {name: [results["columns"].get(name, {}).get(f"qps_{clients}") for clients in (8, 64)]
             for name in ("ours", "lookup")}
    if not all(rates["ours"]):
        return []
    detail = "{:,.0f} against {:,.0f} per s".format(*reversed(rates["ours"]))
    if all(rates["lookup"]):
        detail += "; of PostgreSQL's own lookup of the query {:.2f}".format(ratio(*reversed(rates["lookup"])))
    return [Target("SQL queries/s, 64 clients against 8", ratio(*reversed(rates["ours"])), ">=", 1, detail)]


def _against_hnswlib(engine):
    targets = []
    for name, bound, words in (("default", 0.65, "default settings"), ("none", 1.0, "quantizer none")):
        for recall in (0.95, 0.98, 0.995):
            what = f"engine search, {words}, at recall {recall}, against hnswlib"
            ours = time_at_recall(engine.get(name, {}), recall)
            rival = time_at_recall(engine.get("hnswlib", {}), recall)
            detail = "refused" if "refused" in engine.get(name, {}) else "this recall was not reached"
            if ours and rival:
                detail = f"{ours[0]:.1f} us (ef {ours[1]}) against {rival[0]:.1f} us (ef {rival[1]})"
            targets.append(Target(what, ratio(ours and ours[0], rival and rival[0]), "<=", bound, detail))
    return targets


def _exact_scan(engine):
    scan, memory = (engine.get(name, {}).get("gb_per_s") for name in ("exact", "memory"))
    detail = f"{scan:.1f} of {memory:.1f} GB/s" if scan and memory else ""
    return [Target("exact scan by one thread, of the memory bandwidth", ratio(scan, memory), ">=", 0.7, detail)]


def _outside_search(results):
    if "echo_us" not in results:
        return []
    outside, echo = results["outside_search_us"], results["echo_us"]
    return [Target("execution in PostgreSQL less the search, against a bare echo", ratio(outside, echo), "<=", 1.4,
                   f"{outside:.0f} us against {echo:.0f} us (the search itself {results['engine_us']:.0f} us)")]


def _quantizers(quantizers):
    plain, coded = quantizers.get("none", {}), quantizers.get("sq8", {})
    refused = coded.get("refused") or plain.get("refused")
    why = f"refused: {refused}" if refused else ""

    def of(measure, form):
        if why:
            return None, why
        return ratio(coded[measure], plain[measure]), f"{coded[measure]:{form}} against {plain[measure]:{form}}"

    ram, ram_detail = of("ram_bytes_per_vector", ",.0f")
    time, time_detail = of("engine_us", ".0f")
    lost = None if why else plain["recall"] - coded["recall"]
    lost_detail = why or f"{coded['recall']:.4f} against {plain['recall']:.4f}"
    return [
        Target("sq8 against float32: RAM per vector", ram, "<=", 0.45, ram_detail),
        Target("sq8 against float32: recall lost", lost, "<=", 0.01, lost_detail),
        Target("sq8 against float32: latency of the search, same ef_search", time, "<=", 0.9, time_detail),
    ]


def targets_of_set(results):
    targets = []
    if any(name in results["columns"] for name in ("ours", "pgvector")):
        targets += _against_pgvector(results) + _many_clients(results)
    if "engine" in results:
        targets += _against_hnswlib(results["engine"]) + _exact_scan(results["engine"])
    targets += _outside_search(results)
    if "quantizers" in results:
        targets += _quantizers(results["quantizers"])
    return targets


def targets_of_scale(scale):
    (few, small), (many, large) = sorted(scale["sql"].items())
    what = f"{many:,} x 128 against {few:,} x 128 at recall 0.98, "
    detail = "{p50_ms:.3f} ms (ef {effort})".format(**large) + " against {p50_ms:.3f} ms (ef {effort})".format(**small)
    enough = min(small["recall"], large["recall"]) >= 0.98
    a, b = (time_at_recall(scale["engine"][rows], 0.98) for rows in (many, few))
    engine_detail = f"{a[0]:.1f} us (ef {a[1]}) against {b[0]:.1f} us (ef {b[1]})" if a and b else "recall not reached"
    return [
        Target(what + "SQL latency", ratio(large["p50_ms"], small["p50_ms"]) if enough else None, "<=", 2, detail),
        Target(what + "search alone", ratio(a and a[0], b and b[0]), "<=", 2, engine_detail),
    ]
