# measure.py - what is measured of one data set, through SQL and in the engine's process.
#
# Results are nested dictionaries of plain numbers and words; report.py makes tables of them.
import json
import re
import statistics

from cluster import CommandFailed
from progress import say
from sides import Lookup, Ours, Pgvector

RECALL_WANTED = 0.98
# Steps of some 6 %, each rounded.
EFFORTS = sorted({round(10 * 1.06**n) for n in range(76)})
CURVE_EFFORTS = [10, 20, 40, 80, 160]
CURVE_DURATION = ("-t", 2000)
CLIENTS = (1, 8, 64)
# What users may choose; bytes and recall of each are shown beside those of plain float32.
QUANTIZERS = {
    "none": '{"quantizer":"none","storage":"ram"}',
    "fp16": '{"quantizer":"fp16","storage":"disk"}',
    "sq8": '{"quantizer":"sq8","storage":"disk"}',
    "pq": '{"quantizer":"pq","storage":"disk"}',
}


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, round(share * (len(values) - 1)))]


# PostgreSQL's message without what stands around it.
def reason(failure):
    return re.sub(r"^(psql:\S+ )?ERROR:\s+", "", str(failure).splitlines()[0])


# The smallest effort that finds enough, by bisection: (effort, recall), of the largest if none does.
def find_effort(side, least=RECALL_WANTED):
    low, high, found = 0, len(EFFORTS) - 1, {}
    while low < high:
        middle = (low + high) // 2
        found[middle] = side.recall(side.settings(EFFORTS[middle]))
        if found[middle] >= least:
            high = middle
        else:
            low = middle + 1
    if low not in found:
        found[low] = side.recall(side.settings(EFFORTS[low]))
    return EFFORTS[low], found[low]


class SetMeasurement:
    def __init__(self, cluster, driver, settings, data_set):
        self.cluster, self.driver, self.settings, self.data_set = cluster, driver, settings, data_set
        self.results = {"columns": {}, "notes": []}
        self.columns = []  # (name, side, settings of the session) that pgbench runs with

    def run(self):
        if self.settings.does("sql") or self.settings.does("quantizers") or self.settings.does("inserts"):
            self.measure_sql()
        if self.settings.does("engine"):
            self.measure_engine()
        return self.results

    def column(self, name):
        return self.results["columns"].setdefault(name, {})

    # ---- through SQL ---------------------------------------------------------------------------------------

    def measure_sql(self):
        arguments = (self.cluster, self.driver, self.data_set, self.settings.queries)
        self.ours, self.pgvector, self.lookup = Ours(*arguments), Pgvector(*arguments), Lookup(*arguments)
        self.ours.load_truth()
        say("loading the table that vectord follows")
        self.ours.load()
        if self.settings.does("quantizers") and self.data_set is self.settings.sets[0]:
            self.compare_quantizers()
        if self.settings.does("sql") or self.settings.does("inserts"):
            self.compare_with_pgvector()
        self.cluster.sql("DROP TABLE IF EXISTS items, queries, items_pgvector, queries_pgvector, truth")

    def compare_with_pgvector(self):
        self.build_ours()
        missing = Pgvector.missing(self.cluster)
        if missing:
            self.pgvector = None
            self.results["pgvector_missing"] = missing
            say(f"pgvector: {missing}")
        else:
            self.build_pgvector()
        if self.settings.does("sql"):
            self.run_searches()
            self.time_outside_search()
            self.draw_curves()
        if self.settings.does("inserts"):
            self.insert()
        self.ours.drop()

    def build_ours(self):
        say("building vectord's index")
        seconds = self.ours.build()
        ram, disk = self.ours.footprint()
        effort, recall = find_effort(self.ours)
        default = self.ours.default_effort()
        say(f"built in {seconds:.1f} s; recall {recall:.4f} at ef_search {effort}")
        built = {"build_s": seconds, "ram_bytes_per_vector": ram, "disk_bytes_per_vector": disk}
        own = self.ours.recall({})
        self.column("ours_default").update(built, effort=f"auto ({default})", recall=own)
        self.column("ours").update(built, effort=effort, recall=recall)
        self.column("exact").update(effort="-", recall=self.exact_recall())
        self.columns += [("ours_default", self.ours, {}), ("ours", self.ours, self.ours.settings(effort)),
                         ("exact", self.ours, {"vector_fdw.exact": "on"}), ("lookup", self.lookup, {})]

    # What is exact has to be so in fact; a part of the queries suffices to see it.
    def exact_recall(self):
        count = min(20, self.settings.queries)
        whole = self.ours.queries
        self.ours.queries = f"(SELECT * FROM {whole} WHERE id < {count})"
        try:
            return self.ours.recall({"vector_fdw.exact": "on"})
        finally:
            self.ours.queries = whole

    def build_pgvector(self):
        say("loading pgvector's table")
        self.pgvector.load()
        say("building pgvector's index")
        seconds = self.pgvector.build()
        ram, disk = self.pgvector.footprint()
        effort, recall = find_effort(self.pgvector)
        say(f"built in {seconds:.1f} s; recall {recall:.4f} at ef_search {effort}")
        self.results["notes"].append(f"pgvector {self.pgvector.version()}")
        self.column("pgvector").update(build_s=seconds, ram_bytes_per_vector=ram, disk_bytes_per_vector=disk,
                                       effort=effort, recall=recall)
        self.columns.append(("pgvector", self.pgvector, self.pgvector.settings(effort)))

    # The columns take turns: what else the machine does meets all of them.
    def run_searches(self):
        for clients in CLIENTS:
            times, rates = {}, {}
            for turn in range(self.settings.rounds):
                for name, side, session in self.columns:
                    if name == "lookup" and clients == 1:
                        continue
                    say(f"{clients} clients: {name}, turn {turn + 1} of {self.settings.rounds}")
                    took, rate = self.cluster.pgbench(side.script(), clients, self.settings.duration, session)
                    times.setdefault(name, []).extend(took)
                    rates.setdefault(name, []).append(rate)
            for name in times:
                self.column(name).update({
                    f"p50_ms_{clients}": quantile(times[name], 0.5),
                    f"p99_ms_{clients}": quantile(times[name], 0.99),
                    f"qps_{clients}": statistics.mean(rates[name]),
                })

    # (execution time in PostgreSQL, time of the search in vectord), both in microseconds, of each search
    def explain(self, session):
        prepare = f"PREPARE search(int) AS {self.ours.search_by_number('$1')};\n"  # as pgbench -M prepared does
        executions = "\n".join(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE search({n % self.settings.queries});"
                               for n in range(-20, self.settings.explained))
        text, decoder, times = self.cluster.sql(prepare + executions, session), json.JSONDecoder(), []
        position = 0
        while position < len(text.rstrip()):
            position += len(text[position:]) - len(text[position:].lstrip())
            plan, position = decoder.raw_decode(text, position)
            times.append((plan[0]["Execution Time"] * 1000, daemon_ms(plan[0]["Plan"]) * 1000))
        return times[20:]  # the first ones connect

    def time_outside_search(self):
        say("timing what a search costs outside of the search")
        outside, engine, echo = [], [], []
        for _ in range(self.settings.rounds):
            times = self.explain(self.settings_of("ours"))
            outside += [whole - search for whole, search in times]
            engine += [search for _, search in times]
            measured = self.driver.run("echo", "--dimensions", self.data_set.dimensions, "--count", 5000)["echo"]
            echo.append(measured["p50_us"])
        self.results["outside_search_us"] = quantile(outside, 0.5)
        self.results["engine_us"] = quantile(engine, 0.5)
        self.results["echo_us"] = statistics.median(echo)

    def settings_of(self, name):
        return next(session for column, _, session in self.columns if column == name)

    def draw_curves(self):
        for side, name in ((self.ours, "vector_fdw, SQL"), (self.pgvector, "pgvector, SQL")):
            if side is None:
                continue
            for effort in CURVE_EFFORTS:
                say(f"recall against queries/s: {name}, ef_search {effort}")
                session = side.settings(effort)
                recall = side.recall(session)
                rate = self.cluster.pgbench(side.script(), 1, CURVE_DURATION, session)[1]
                self.results.setdefault("curves", {}).setdefault(name, []).append((effort, recall, rate))

    def insert(self):
        for side, name, count in ((self.ours, "ours", self.settings.inserted),
                                  (self.pgvector, "pgvector", self.settings.inserted_rival)):
            if side is None:
                continue
            say(f"inserting {count:,} rows: {name}")
            self.column(name)["insert_rows_per_s"] = count / side.insert(count)
        self.column("ours_default")["insert_rows_per_s"] = self.column("ours")["insert_rows_per_s"]

    # Each collection by itself, at the effort that plain float32 needs.
    def compare_quantizers(self):
        effort = None
        table = self.results["quantizers"] = {}
        for name, options in QUANTIZERS.items():
            say(f"building vectord's index with quantizer {name}")
            try:
                seconds = self.ours.build(options)
                ram, disk = self.ours.footprint()
                if effort is None:
                    effort = find_effort(self.ours)[0]
                session = self.ours.settings(effort)
                table[name] = {"options": options, "effort": effort, "build_s": seconds,
                               "recall": self.ours.recall(session), "ram_bytes_per_vector": ram,
                               "disk_bytes_per_vector": disk,
                               "engine_us": quantile([search for _, search in self.explain(session)], 0.5)}
            except CommandFailed as failure:
                say(f"quantizer {name}: {failure}")
                table[name] = {"options": options, "refused": reason(failure)}
            self.ours.drop()

    # ---- in one process ------------------------------------------------------------------------------------

    def measure_engine(self):
        say(f"{self.data_set.name}: the engine beside hnswlib, in one process")
        engine = self.driver.run("engine", "--dimensions", self.data_set.dimensions, "--rows", self.data_set.rows,
                                 "--queries", self.settings.queries, "--rounds", self.settings.engine_rounds,
                                 "--index", "default={}", "--index", 'none={"quantizer":"none"}', "--hnswlib",
                                 "--exact")
        self.results["engine"] = engine
        rival = engine["hnswlib"]
        reached = [ef for ef in sorted(rival["recall"]) if rival["recall"][ef] >= RECALL_WANTED]
        effort = reached[0] if reached else max(rival["recall"])
        self.column("hnswlib").update({
            "build_s": rival["build_s"], "ram_bytes_per_vector": rival["bytes_per_vector"], "effort": effort,
            "recall": rival["recall"][effort], "p50_ms_1": rival["p50_us"][effort] / 1000,
            "p99_ms_1": rival["p99_us"][effort] / 1000, "qps_1": 1e6 / rival["search_us"][effort],
            "insert_rows_per_s": rival["insert_rows_per_s"]})
        for clients in (8, 64):
            if f"qps_{clients}" in rival:
                self.column("hnswlib")[f"qps_{clients}"] = rival[f"qps_{clients}"]
        for name, label in (("default", "engine"), ("hnswlib", "hnswlib")):
            for ef in sorted(engine.get(name, {}).get("recall", {})):
                self.results.setdefault("curves", {}).setdefault(f"{label}, in-process", []).append(
                    (ef, engine[name]["recall"][ef], 1e6 / engine[name]["search_us"][ef]))


# Of the foreign scan, wherever in the plan it stands.
def daemon_ms(node):
    return node.get("Daemon Time", 0) + sum(daemon_ms(child) for child in node.get("Plans", []))
