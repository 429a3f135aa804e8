# scale.py - what ten times the rows cost a search: in the engine's process, and through SQL.
from measure import find_effort, quantile
from progress import say
from settings import DataSet
from sides import Ours

DIMENSIONS = 128
MOST_QUERIES = 500


def measure_scale(cluster, driver, settings):
    return {"engine": _in_the_engine(driver, settings), "sql": _through_sql(cluster, driver, settings)}


# Two indexes taking turns in one process.
def _in_the_engine(driver, settings):
    few, many = settings.scale
    say(f"the engine with {few:,} and with {many:,} rows of {DIMENSIONS} dimensions")
    systems = driver.run("scale", "--dimensions", DIMENSIONS, "--rows", few, "--more-rows", many, "--queries",
                         min(MOST_QUERIES, settings.queries), "--rounds", settings.engine_rounds)
    return {few: systems["few"], many: systems["many"]}


# Two tables taking turns, each with the smallest effort that finds enough.
def _through_sql(cluster, driver, settings):
    results, sides = {}, {}
    for rows in settings.scale:
        side = sides[rows] = Ours(cluster, driver, DataSet(rows, DIMENSIONS), min(MOST_QUERIES, settings.queries),
                                  suffix=f"_{rows}")
        side.load_truth()
        say(f"{rows:,} rows: loading and building")
        side.load()
        side.build()
        effort, recall = find_effort(side)
        results[rows] = {"effort": effort, "recall": recall, "times": []}
    for turn in range(2 * settings.rounds):
        for rows, side in sides.items():
            say(f"{rows:,} rows through SQL, turn {turn + 1} of {2 * settings.rounds}")
            session = side.settings(results[rows]["effort"])
            results[rows]["times"] += cluster.pgbench(side.script(), 1, settings.duration, session)[0]
    for rows, side in sides.items():
        results[rows]["p50_ms"] = quantile(results[rows].pop("times"), 0.5)
        side.drop()
        cluster.sql(f"DROP TABLE {side.table}, {side.queries}, {side.truth}")
    return results
