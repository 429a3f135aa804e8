# report.py - the table, the verdicts and the CSV files of a run.
import csv
import os

from targets import targets_of_scale, targets_of_set

COLUMNS = (
    ("ours_default", "vector_fdw as is"),
    ("ours", "vector_fdw"),
    ("pgvector", "pgvector"),
    ("hnswlib", "hnswlib in-process"),
    ("exact", "exact scan"),
)
ROWS = (
    ("effort", "ef_search", "{}"),
    ("build_s", "build, s", "{:,.1f}"),
    ("recall", "recall@10", "{:.4f}"),
    ("p50_ms_1", "p50, 1 client, ms", "{:,.3f}"),
    ("p99_ms_1", "p99, 1 client, ms", "{:,.3f}"),
    ("qps_1", "queries/s, 1 client", "{:,.0f}"),
    ("qps_8", "queries/s, 8 clients", "{:,.0f}"),
    ("p99_ms_8", "p99, 8 clients, ms", "{:,.2f}"),
    ("qps_64", "queries/s, 64 clients", "{:,.0f}"),
    ("p99_ms_64", "p99, 64 clients, ms", "{:,.2f}"),
    ("insert_rows_per_s", "rows/s inserted", "{:,.0f}"),
    ("ram_bytes_per_vector", "RAM, bytes per vector", "{:,.0f}"),
    ("disk_bytes_per_vector", "disk, bytes per vector", "{:,.0f}"),
)
LABEL_WIDTH, COLUMN_WIDTH = 24, 20


def _cell(results, column, measure, form):
    if column == "pgvector" and results.get("pgvector_missing"):
        return "not installed"
    value = results["columns"].get(column, {}).get(measure)
    return "-" if value is None else form.format(value)


def _line(label, cells):
    return f"{label:<{LABEL_WIDTH}}" + "".join(f"{cell:>{COLUMN_WIDTH}}" for cell in cells)


def _set_lines(name, results):
    lines = ["", _line(name, [label for _, label in COLUMNS])]
    for measure, label, form in ROWS:
        cells = [_cell(results, column, measure, form) for column, _ in COLUMNS]
        if set(cells) - {"-", "not installed"}:
            lines.append(_line(label, cells))
    if "quantizers" in results:
        lines += _quantizer_lines(results["quantizers"])
    return lines


def _quantizer_lines(quantizers):
    lines = ["", _line("quantizer", ["RAM, bytes/vector", "disk, bytes/vector", "recall@10", "search, us", "build, s"])]
    for name, found in quantizers.items():
        if "refused" in found:
            lines.append(f"{name:<{LABEL_WIDTH}}  refused: {found['refused']}")
            continue
        lines.append(_line(f"{name}, ef_search {found['effort']}",
                           [f"{found['ram_bytes_per_vector']:,.0f}", f"{found['disk_bytes_per_vector']:,.0f}",
                            f"{found['recall']:.4f}", f"{found['engine_us']:,.0f}", f"{found['build_s']:,.1f}"]))
    return lines


def _target_lines(name, targets):
    lines = ["", f"must show: {name}"]
    for target in targets:
        measured = "" if target.ratio is None else f"{target.ratio:.3g}"
        lines.append(f"  {target.what:<72}{measured:>8}  {target.operator} {target.bound:<5g} "
                     f"{target.verdict():<13} {target.detail}")
    return lines


class Report:
    # machine: one line; sets: {name: results}; scale: {rows: measures} or None
    def __init__(self, machine, sets, scale):
        self.machine, self.sets, self.scale = machine, sets, scale
        self.targets = {name: targets_of_set(results) for name, results in sets.items()}
        if scale:
            self.targets["rows"] = targets_of_scale(scale)

    def text(self):
        lines = [self.machine,
                 "vector_fdw and pgvector: through SQL, smallest ef_search with recall >= 0.98; \"as is\": no setting touched.",
                 "hnswlib: one thread at \"1 client\". Rows/s inserted: until every row can be found."]
        for name, results in self.sets.items():
            if results["columns"]:
                lines += _set_lines(name, results)
        for name, targets in self.targets.items():
            if targets:
                lines += _target_lines(name, targets)
        return "\n".join(lines) + "\n"

    def write(self, directory):
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "bench.txt"), "w") as out:
            out.write(self.text())
        self._write_csv(os.path.join(directory, "bench.csv"), ("data", "system", "measure", "value"), self._values())
        self._write_csv(os.path.join(directory, "curves.csv"), ("data", "system", "ef_search", "recall", "queries_per_s"),
                        self._points())
        self._write_csv(os.path.join(directory, "targets.csv"),
                        ("data", "target", "ratio", "operator", "bound", "verdict", "detail"),
                        ((name, t.what, "" if t.ratio is None else f"{t.ratio:.4g}", t.operator, t.bound, t.verdict(),
                          t.detail) for name, targets in self.targets.items() for t in targets))

    def _write_csv(self, path, header, rows):
        with open(path, "w", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    def _values(self):
        for name, results in self.sets.items():
            for column in [column for column, _ in COLUMNS] + ["lookup"]:
                if column == "pgvector" and results.get("pgvector_missing"):
                    yield name, column, "missing", results["pgvector_missing"]
                for measure, value in results["columns"].get(column, {}).items():
                    yield name, column, measure, value
            for quantizer, found in results.get("quantizers", {}).items():
                for measure, value in found.items():
                    yield name, f"quantizer {quantizer}", measure, value
            for measure in ("outside_search_us", "engine_us", "echo_us"):
                if measure in results:
                    yield name, "ours", measure, results[measure]

    def _points(self):
        for name, results in self.sets.items():
            for system, points in results.get("curves", {}).items():
                for effort, recall, rate in points:
                    yield name, system, effort, f"{recall:.4f}", f"{rate:.1f}"
