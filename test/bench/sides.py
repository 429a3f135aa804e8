# sides.py - the two ways to search a table that are compared: this project's, and pgvector's.
#
# Both have the same rows in a table of their own, the same statement, and a setting for the effort of a search.
import os
import time

from cluster import CommandFailed
from progress import say

NEIGHBOURS = 10


class Side:
    effort_setting = None  # of the session
    fixed_settings = {}
    relation = table = queries = None  # what is searched; where the rows stand; the query vectors
    truth = "truth"  # their true neighbours

    def __init__(self, cluster, driver, data_set, query_count):
        self.cluster, self.driver, self.data_set, self.query_count = cluster, driver, data_set, query_count

    # ---- the data ------------------------------------------------------------------------------------------

    def _rows(self, first, count, *more):
        return self.driver.command("rows", "--dimensions", self.data_set.dimensions, "--type", self.copy_type,
                                   "--first", first, "--count", count, *more)

    def load(self):
        column = f"v {self.vector_type()} NOT NULL"
        self.cluster.sql(f"""
            CREATE TABLE {self.table} (id int PRIMARY KEY, {column});
            CREATE TABLE {self.queries} (id int PRIMARY KEY, {column});""")
        self.cluster.copy(self.table, self._rows(0, self.data_set.rows))
        self.cluster.copy(self.queries, self._rows(0, self.query_count, "--queries"))
        self.cluster.sql(f"VACUUM ANALYZE {self.table}; VACUUM ANALYZE {self.queries};")

    def load_truth(self):
        say(f"{self.data_set.name}: finding the true neighbours of {self.query_count} queries")
        path = os.path.join(self.cluster.work, self.truth)
        self.driver.run("truth", "--dimensions", self.data_set.dimensions, "--rows", self.data_set.rows, "--queries",
                        self.query_count, "--out", path)
        self.cluster.sql(f"CREATE TABLE {self.truth} (id int PRIMARY KEY, nearest int[])")
        self.cluster.copy(self.truth, path=path)
        os.remove(path)
        self.cluster.sql(f"VACUUM ANALYZE {self.truth}")

    # Seconds until every one of so many new rows can be found.
    def insert(self, count):
        started = time.monotonic()
        self.cluster.copy(self.table, self._rows(self.data_set.rows, count))
        self.wait()
        return time.monotonic() - started

    # ---- searches ------------------------------------------------------------------------------------------

    # effort: None for what the side does by itself
    def settings(self, effort):
        return dict(self.fixed_settings, **({self.effort_setting: effort} if effort else {}))

    def search(self, query):
        return f"SELECT id FROM {self.relation} ORDER BY v <-> {query} LIMIT {NEIGHBOURS}"

    def search_by_number(self, number):
        return self.search(f"(SELECT v FROM {self.queries} WHERE id = {number})")

    def script(self):
        return f"\\set n random(0, {self.query_count - 1})\n{self.search_by_number(':n')};\n"

    def recall(self, settings):
        return float(self.cluster.value(f"""
            SELECT avg(hits) / {NEIGHBOURS} FROM {self.queries} q JOIN {self.truth} t USING (id), LATERAL (
                SELECT count(*) AS hits FROM ({self.search('q.v')}) found WHERE found.id = ANY (t.nearest)) h""",
                                        settings))

    def wait(self):
        pass


class Ours(Side):
    effort_setting = "vector_fdw.ef_search"
    copy_type = "real"

    # suffix: of the names of what it makes, so that several can be side by side.
    def __init__(self, cluster, driver, data_set, query_count, suffix=""):
        super().__init__(cluster, driver, data_set, query_count)
        self.relation, self.table, self.queries, self.truth = (
            name + suffix for name in ("near", "items", "queries", "truth"))

    def vector_type(self):
        return "real[]"

    # Seconds from the definition to the first search. options: JSON, as create_collection takes it.
    def build(self, options="{}"):
        started = time.monotonic()
        self.cluster.sql(f"""
            SELECT vector_fdw.create_collection('{self.relation}', '{self.table}', 'v', options => '{options}');
            SELECT vector_fdw.wait_for_collection('{self.relation}', '1 hour');""")
        seconds = time.monotonic() - started
        self.cluster.sql(f"CREATE FOREIGN TABLE {self.relation} (id int, v real[]) SERVER vectord")
        return seconds

    def drop(self):
        self.cluster.sql(f"""
            DROP FOREIGN TABLE IF EXISTS {self.relation};
            SELECT vector_fdw.drop_collection('{self.relation}', if_exists => true);""")

    def wait(self):
        self.cluster.sql(f"SELECT vector_fdw.wait_for_collection('{self.relation}', '1 hour')")

    # Bytes per vector in memory and on disk, once the first checkpoint is done and nothing changes any more:
    # with storage disk vectors leave the memory after they have been written.
    def footprint(self):
        deadline, before = time.monotonic() + 120, None
        while True:
            answer = self.cluster.value("SELECT memory_bytes, disk_bytes, rows FROM vector_fdw.stat_collections"
                                        f" WHERE name = '{self.relation}'")
            memory, disk, rows = (int(field or 0) for field in answer.split("\t"))
            if disk > 0 and (memory, disk) == before:
                return memory / rows, disk / rows
            before = memory, disk
            if time.monotonic() > deadline:
                raise CommandFailed("vectord wrote no checkpoint within 120 s.")
            time.sleep(2 if disk > 0 else 0.1)

    def default_effort(self):
        return int(self.cluster.value(f"SELECT effort FROM vector_fdw.stat_collections WHERE name = '{self.relation}'") or 0)


class Pgvector(Side):
    effort_setting = "hnsw.ef_search"
    # The planner would scan a small table; this is about the index.
    fixed_settings = {"enable_seqscan": "off"}
    relation = table = "items_pgvector"
    queries, copy_type = "queries_pgvector", "vector"

    # None, or why it cannot take part.
    @staticmethod
    def missing(cluster):
        if cluster.value("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == "0":
            return "not installed"
        try:
            cluster.sql("CREATE EXTENSION IF NOT EXISTS vector")
            cluster.sql("SELECT 1 FROM pg_am WHERE amname = 'hnsw' HAVING count(*) = 1")
        except CommandFailed as failure:
            return f"not installed ({failure})"
        return None

    def version(self):
        return self.cluster.value("SELECT extversion FROM pg_extension WHERE extname = 'vector'")

    def vector_type(self):
        return f"vector({self.data_set.dimensions})"

    # As many processes as there are cores; where shared memory does not suffice for that (containers),
    # one. m and ef_construction are pgvector's defaults, which are also ours.
    def build(self):
        self.cluster.sql(f"ALTER TABLE {self.table} SET (parallel_workers = {self.cluster.cores})")
        create = f"CREATE INDEX near_pgvector ON {self.table} USING hnsw (v vector_l2_ops) WITH (m = 16, ef_construction = 64)"
        started = time.monotonic()
        try:
            self.cluster.sql(create)
        except CommandFailed as failure:
            if "shared memory" not in str(failure):
                raise
            say(f"pgvector builds by one process, since: {failure}")
            started = time.monotonic()
            self.cluster.sql(create, {"max_parallel_maintenance_workers": 0})
        return time.monotonic() - started

    def footprint(self):
        bytes_per_row = int(self.cluster.value("SELECT pg_relation_size('near_pgvector')")) / self.data_set.rows
        return bytes_per_row, bytes_per_row  # what is on disk has to be in memory for searches to be fast


# What every search begins with, by itself: how PostgreSQL answers that tells what the machine is able to.
class Lookup(Ours):
    def search_by_number(self, number):
        return f"SELECT v FROM {self.queries} WHERE id = {number}"
