# driver.py - calls bench_driver and reads what it prints: lines "system,measure,effort,value".
import math
import subprocess

from cluster import CommandFailed


class Driver:
    def __init__(self, path):
        self.path = path

    def command(self, *words):
        return [self.path] + [str(word) for word in words]

    def run(self, *words):
        done = subprocess.run(self.command(*words), stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise CommandFailed(f"bench_driver {words[0]} ended with status {done.returncode}")
        return parse(done.stdout)


# {system: {measure: value, or {effort: value}}}
def parse(text):
    systems = {}
    for line in text.splitlines():
        system, measure, effort, value = line.split(",")
        measures = systems.setdefault(system, {})
        if effort and not measure.startswith("qps"):
            measures.setdefault(measure, {})[int(effort)] = float(value)
        else:
            measures[measure] = float(value)
    return systems


# The time at a recall, between the two efforts around it: (microseconds, effort that reaches it).
# None: no effort reached it. The least effort may reach more than was asked for; then its time stands.
def time_at_recall(measures, recall):
    previous = None
    for effort in sorted(measures.get("recall", {})):
        found, us = measures["recall"][effort], measures["search_us"][effort]
        if found >= recall:
            if previous is None or previous[0] >= found:
                return us, effort
            return between(previous, (found, us), recall), effort
        previous = (found, us)
    return None


# What is missing to a recall of 1 falls about exponentially as time rises.
def between(low, high, recall):
    def depth(r):
        return -math.log(max(1 - r, 1e-6))

    share = (depth(recall) - depth(low[0])) / (depth(high[0]) - depth(low[0]))
    return low[1] + share * (high[1] - low[1])
