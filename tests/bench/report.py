#!/usr/bin/python3
"""doc/BENCHMARKS.md from the results of the scenarios: report.py RESULTS NOTES > DOC

Each file of RESULTS is one scenario (lib.sh says what a line is); what is not there
is left out. NOTES is what a person has to say of the figures.
"""
import os
import statistics
import sys

CPU = ("nginx", "collect", "api", "redis", "worker", "flush", "pg")
CPU_TITLES = {"collect": "workers", "flush": "flusher", "pg": "PostgreSQL", "redis": "Redis", "api": "API"}


class Scenario:
    def __init__(self, path):
        self.rows, self.names = [], []
        with open(path, encoding="utf-8") as f:
            self.date, self.commit, self.options = next(f).rstrip("\n").split("\t")[1:]
            for line in f:
                name, _, *pairs = line.rstrip("\n").split("\t")
                if name == "time":
                    continue
                values = dict(pair.split("=", 1) for pair in pairs)
                self.rows.append((name, values))
                if name not in self.names:
                    self.names.append(name)

    def all(self, name, key):
        return [float(v[key]) for n, v in self.rows if n == name and key in v]

    def __call__(self, name, key):
        """The median of all rounds, or None."""
        values = self.all(name, key)
        return statistics.median(values) if values else None

    def spread(self, name, key, digits=0):
        values = self.all(name, key)
        if not values:
            return "-"
        middle = f"{statistics.median(values):,.{digits}f}"
        if len(values) == 1 or min(values) == max(values):
            return middle
        return f"{middle} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"

    def number(self, name, key, digits=2):
        value = self(name, key)
        return "-" if value is None else f"{value:,.{digits}f}"

    def service(self, name):
        """Microseconds an event of all that is not PostgreSQL."""
        return sum(self(name, f"{p}_us") or 0 for p in CPU if p != "pg")


def table(heads, rows):
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def cpu_columns(s, names):
    return [p for p in CPU if any(s.all(n, f"{p}_us") for n in names)]


def loads(s, names, first, label=str, latency=True):
    """The table that most scenarios have."""
    used = cpu_columns(s, names)
    heads = [first, "events/s"] + (["p50 ms", "p99 ms", "p99.9 ms"] if latency else [])
    heads += [CPU_TITLES.get(p, p) + " us" for p in used] + ["sum us", "other us", "peak MiB"]
    rows = []
    for n in names:
        row = [label(n), s.spread(n, "rate")]
        if latency:
            row += [s.number(n, k) for k in ("p50", "p99", "p99.9")]
        row += [s.number(n, f"{p}_us") for p in used]
        row += [f"{sum(s(n, f'{p}_us') or 0 for p in used):.2f}", s.number(n, "other_us")]
        kib = max(s.all(n, "kib") or [0])
        rows.append(row + [f"{kib / 1024:.1f}" if kib else "-"])
    table(heads, rows)


# --- the scenarios -------------------------------------------------------------------

def single(s):
    print("Single events, one in a request, over TLS, the flusher paused. The null responder is forebayd with a\n"
          "door behind which nothing is: the same nginx, libfcgi and loop, no decoding, no journal. It is the ceiling.\n")
    loads(s, s.names, "program, connections", lambda n: n.replace("null_forebayd", "null responder,").replace("forebayd", "durable,"))


def batch(s):
    print("100 events a request, the flusher paused.\n")
    loads(s, s.names, "form")


def latency(s):
    print("Requests leave on a fixed schedule, and latency counts from the moment they should have left: a server that\n"
          "stalls cannot slow down the clock that measures it. Parts of the peak, that is of the highest rate at 64 connections.\n")
    loads(s, s.names, "load")


def slow(s):
    print("Each fsync takes 2.6 ms more, as on EBS gp3; 256 connections.\n")
    loads(s, s.names, "rate")


def workers(s):
    print("By number of workers; connections, or 100 events a request (`batch`, 64 connections).\n")
    loads(s, s.names, "workers, connections")


def flush(s):
    base = s("copy", "rate")
    print("The flusher beside `psql \\copy ... FROM ... BINARY` of the same rows into the same table; the rows' fingerprints\n"
          "are hashes of client-given ids, so the unique index sees them in random order. The flusher's time counts from\n"
          "its start to the last row; psql's from its start to its end. Duplicates lie evenly among the rows.\n")
    rows = []
    for n in s.names:
        what = "psql \\copy BINARY" if n == "copy" else f"flusher, {s.number(n, 'duplicates', 0)} duplicates"
        rows.append([what, s.spread(n, "rate"), f"{s(n, 'rate') / base * 100:.0f} %" if base else "-", s.number(n, "flush_us"),
                     s.number(n, "pg_us"), s.number(n, "other_us"), f"{(s(n, 'kib') or 0) / 1024:.1f}" if n != "copy" else "-"])
    print(f"A row takes {s.number('copy', 'row_bytes', 0)} bytes in PostgreSQL, its place in the indexes too.\n")
    table(["", "rows/s", "of \\copy", "flusher us", "PostgreSQL us", "other us", "peak MiB"], rows)


def end(s):
    print("The highest rate at which the backlog does not grow, with flusher and PostgreSQL (fsync on) on the same cores\n"
          "as nginx, workers and the load generator. CPU time counts until the last event stands in PostgreSQL.\n")
    loads(s, s.names, "")


def backlog(s):
    print(f"{s('fill', 'rows'):,.0f} events pending ({s('fill', 'mib'):,.0f} MiB) against a journal with none (to drain: 600,000).\n"
          "While accepting, the flusher runs and PostgreSQL is away.\n")
    names = [n for n in s.names if n.split()[0] in ("accept", "drain")]
    loads(s, [n for n in names if n.startswith("accept")], "accepting", lambda n: n.split()[1])
    loads(s, [n for n in names if n.startswith("drain")], "draining", lambda n: n.split()[1], latency=False)
    table(["`forebay query`", "ms"], [[n, s.spread(n, "ms")] for n in s.names if s.all(n, "ms")])


def instructions(s):
    if "skipped" in s.names:
        print("valgrind is not installed.\n")
        return
    print("By callgrind, the difference of two runs: the only figure that a neighbour on the machine cannot touch. valgrind's\n"
          "CPU has no SHA instructions, so libcrypto's part is larger here than in life.\n")
    names = [n for n in s.names if s.all(n, "instructions")]
    table(["", "instructions an event"], [[n, s.number(n, "instructions", 0)] for n in names])
    for n in names:
        print(f"{n[0].upper()}{n[1:]}, where they go: {functions(s, n)}.\n")


def functions(s, name):
    """The functions that take the most, in one sentence."""
    top = [v for m, v in s.rows if m == "top " + name][:10]
    return ", ".join((f"`{v['object']}`'s own" if v["function"].startswith("0x") or v["function"] == "[unknown]"
                      else f"`{v['function']}`") + f" {v['percent']} %" for v in top)


def profile(s):
    if "skipped" in s.names:
        print("perf does not work here.\n")
        return
    print("Single events at 64 connections, by perf: the share of each library in the CPU time of a program.\n")
    for name, title in (("nginx", "nginx"), ("forebayd", "Workers")):
        parts = ", ".join(f"{v['object']} {v['percent']} %" for m, v in s.rows if m == name)
        print(f"{title}: {parts}. Functions: {functions(s, name)}.\n")


def memory(s):
    print(f"{s.number('load', 'single', 0)} single events and {s.number('load', 'batch', 0)} requests of 100 events a second, end to end. Peak: the largest resident sets of master,\n"
          "workers and flusher, summed, shared pages counted in each; held: their memory with shared pages divided.\n")
    minutes = [v for n, v in s.rows if n == "minute"]
    table(["minute", "peak MiB", "held MiB", "events waiting"],
          [[str(i), f"{float(v['kib']) / 1024:.1f}", f"{float(v['pss']) / 1024:.1f}", str(max(0, int(v["waits"])))] for i, v in enumerate(minutes, 1)])


PROMISES = {
    "forebay": "fsynced on the journal's volume; exactly once in PostgreSQL",
    "fastapi": "in Redis's memory; a crash of the machine loses up to a second (AOF everysec); at least once",
    "node": "committed in PostgreSQL (fsync on); nothing is taken while PostgreSQL is away",
}
PEERS = {"forebay": "forebay", "fastapi": "FastAPI + Redis Streams + worker", "node": "Node, one INSERT a request"}


def peers(s):
    print("The same nginx with TLS, the same load (64 connections, as fast as it goes), the same table; CPU time until the last\n"
          "event stands in PostgreSQL. FastAPI: two uvicorn processes, uvloop, httptools, Redis Streams by a Unix socket with\n"
          "hiredis and AOF everysec, a worker with asyncpg and COPY. Node: a cluster of two, `pg` with ten connections each,\n"
          "one prepared INSERT. Sources: tests/bench/peers/.\n")
    names = [n for n in s.names if s.all(n, "rate")]
    loads(s, names, "", lambda n: PEERS[n])
    table(["", "what its 2xx promises"], [[PEERS[n], PROMISES[n]] for n in names])
    for n, v in s.rows:
        if "skipped" in v:
            print(f"{PEERS[n]}: skipped, {v['skipped'].replace('_', ' ')}.\n")


TITLES = (
    (single, "Single events"), (batch, "100 events a request"), (latency, "Latency"), (slow, "A slow disk"), (workers, "Workers"),
    (flush, "The flusher"), (end, "End to end"), (backlog, "A backlog of 10 million"), (peers, "Peers"),
    (instructions, "Instructions"), (profile, "Profile"), (memory, "Memory"),
)


# --- the targets ---------------------------------------------------------------------

def ratio(a, b):
    return a / b * 100 if a is not None and b else None


def targets(all_):
    def of(name):
        return all_.get(name) or (lambda *_: None)

    single_, slow_, latency_, flush_, backlog_, end_ = map(of, ("single", "slow", "latency", "flush", "backlog", "end"))
    def peer(name):
        s = all_.get("peers")
        return s.service(name) if s and s.all(name, "rate") else None

    kib = [k for name, s in all_.items() for n in s.names if not (name == "workers" and n[0] == "4")
           and not (name == "peers" and n != "forebay") for k in s.all(n, "kib")]
    pss = all_["memory"].all("minute", "pss") if "memory" in all_ else []
    copy = flush_("copy", "rate")
    few = all_["flush"].names[2] if "flush" in all_ and len(all_["flush"].names) > 2 else ""
    end_cpu = end_("single", "rate") and all_["end"].service("single")
    times = ratio(peer("fastapi"), peer("forebay"))
    return (
        ("durable single events over TLS, 64 connections, of the null responder", ratio(single_("forebayd 64", "rate"), single_("null_forebayd 64", "rate")), ">=", 70, "%"),
        ("service CPU an event, end to end over TLS (nginx, workers, flusher)", end_cpu, "<=", 25, "us"),
        ("FastAPI + Redis + worker takes this much more", times and times / 100, ">=", 5, "times"),
        ("p99 at half load", latency_("50 %", "p99"), "<", 5, "ms"),
        ("p99.9 at half load", latency_("50 %", "p99.9"), "<", 20, "ms"),
        ("fsync of 2.6 ms, 20,000/s: p99", slow_("20,000/s", "p99"), "<", 15, "ms"),
        ("fsync of 2.6 ms, highest rate", slow_("highest", "rate"), ">=", 40000, "events/s"),
        ("100 events a request, journaled", of("batch")("ndjson", "rate"), ">=", 500000, "events/s"),
        ("100 events a request, end to end, no growing backlog", end_("batch", "rate"), ">=", 100000, "events/s"),
        ("flusher, of \\copy BINARY, no duplicates", ratio(flush_("0", "rate"), copy), ">=", 90, "%"),
        ("flusher, of \\copy BINARY, 0.1 % duplicates", ratio(flush_(few, "rate"), copy), ">=", 50, "%"),
        ("accepting with 10 million pending, of an empty journal", ratio(backlog_("accept full", "rate"), backlog_("accept empty", "rate")), ">=", 95, "%"),
        ("draining 10 million, of an empty journal", ratio(backlog_("drain full", "rate"), backlog_("drain empty", "rate")), ">=", 90, "%"),
        ("memory of master, workers (2) and flusher, largest of all scenarios", max(kib) / 1024 if kib else None, "<", 64, "MiB"),
        (f"growth of held memory from minute {len(pss) // 2} to {len(pss)}", (pss[-1] - pss[len(pss) // 2 - 1]) / 1024 if len(pss) > 3 else None, "<", 1, "MiB"),
    )


def met(value, how, limit):
    return {">=": value >= limit, "<=": value <= limit, "<": value < limit}[how]


def main():
    results, notes = sys.argv[1:3]
    all_ = {}
    for f, _ in TITLES:
        path = os.path.join(results, f.__name__ + ".tsv")
        if os.path.exists(path):
            all_[f.__name__] = Scenario(path)
    print("# Benchmarks\n\n<!-- made by `make bench`; what is said of the figures: tests/bench/notes.md -->\n")
    print("`make bench` makes this document: every scenario one after the other on one machine that does nothing else, load\n"
          "generator, nginx, workers, flusher and PostgreSQL on the same cores; variants in turn (A B A B). Figures are medians, the\n"
          "lowest and the highest in parentheses. CPU is microseconds an event of user and system time, by process; `other` is\n"
          "what the machine did besides, the load generator apart: much of it means that the figure was disturbed. The load\n"
          "generator (tests/tools/load.c) sends events of 345 bytes. Peak: the largest resident sets, summed.\n")
    with open(os.path.join(results, "machine"), encoding="utf-8") as f:
        table(["", ""], [line.rstrip("\n").split("\t") for line in f])
    print("    make bench                                  # all, about 25 minutes\n"
          "    make bench BENCH=\"single end\" ROUNDS=3      # some; what others left behind stays\n")
    print("## Targets\n")
    table(["", "target", "measured", ""], [
        [what, f"{how} {limit:,} {unit}", f"{value:,.{1 if value < 100 else 0}f} {unit}", "met" if met(value, how, limit) else "**missed**"]
        if value is not None else [what, f"{how} {limit:,} {unit}", "not measured", ""]
        for what, value, how, limit, unit in targets(all_)])
    for f, title in TITLES:
        if f.__name__ in all_:
            s = all_[f.__name__]
            print(f"## {title}\n")
            f(s)
            print(f"`make bench BENCH={f.__name__} {s.options}`, {s.date}, {s.commit}.\n")
    with open(notes, encoding="utf-8") as f:
        print(f.read(), end="")


if __name__ == "__main__":
    main()
