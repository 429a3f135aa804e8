# plot.py - recall against queries/s, a panel for each data set: up and to the right is better.


# curves: {data set: {system: [(ef_search, recall, queries/s), ...]}}. Returns None, or why there is no picture.
def draw(curves, path):
    curves = {name: systems for name, systems in curves.items() if systems}
    if not curves:
        return "nothing was measured at several efforts"
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
        from matplotlib.ticker import FuncFormatter
    except ImportError as failure:
        return f"{failure}; install python3-matplotlib (make deps)"
    figure, panels = pyplot.subplots(1, len(curves), figsize=(7 * len(curves), 5), squeeze=False)
    for panel, (name, systems) in zip(panels[0], curves.items()):
        for system, points in systems.items():
            panel.plot([recall for _, recall, _ in points], [rate for _, _, rate in points], marker="o", markersize=3,
                       label=system)
        panel.set_title(name)
        panel.set_yscale("log")
        panel.set_xlabel("recall@10")
        panel.set_ylabel("queries/s, one client or thread")
        panel.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:,.0f}"))
        panel.grid(True, which="both", alpha=0.3)
        panel.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    return None
