#!/usr/bin/python3
"""doc/COST.md from the results of `make bench` and the prices in src/cli/cost.c:
cost.py RESULTS COST.C > DOC
"""
import math
import os
import re
import sys

from report import Scenario, table

RATE, PEAK, BUSY = 10000, 20000, .6	# events a second: mean and highest; CPU at the highest
HOURS = 730
EVENTS = RATE * 3600 * HOURS
BYTES = 345
MORE = {  # prices that `forebay stats --cost` has no use for
    "EKS_HOUR": .10, "CACHE_HOUR": .158, "SHARD_HOUR": .015, "PUT_MILLION": .014, "RDS_HOUR": .168, "SURPLUS_VCPU_HOUR": .04,
}
REST_TIERS = ((333e6, 3.50), (667e6, 2.80), (19e9, 2.38), (math.inf, 1.51))
HTTP_TIERS = ((300e6, 1.00), (math.inf, .90))
ELIXIR_US, ELIXIR_PG_US = 65, 6		# measured once, plain HTTP, no TLS, acknowledged from memory
CORE_T4G = 1.3				# a Graviton2 core takes so much longer than one of the machine measured


def prices(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    p = dict(MORE)
    for name, value in re.findall(r"^#define (\w+)\s+\(?([0-9.e/ -]+)\)?\s*(?:/\*.*)?$", text, re.M):
        a, _, b = value.partition("/")
        p[name] = float(a) / float(b or 1)
    p.update((t, float(h)) for t, h in re.findall(r'\{ "([a-z0-9]+\.[a-z0-9]+)", ([0-9.]+) \}', text))
    p["of"] = re.search(r'PRICES_OF\s+"(.*)"', text).group(1)
    return p


def tiers(n, steps):
    dollars = 0
    for size, price in steps:
        dollars += min(n, size) / 1e6 * price
        n -= min(n, size)
    return dollars


def nodes(us, vcpus=2):
    """Never one alone."""
    return max(2, math.ceil(PEAK * us / 1e6 / BUSY / vcpus))


def money(x):
    return f"{x:,.2f}" if x < 100 else f"{x:,.0f}"


def main():
    results, source = sys.argv[1:3]
    p = prices(source)
    end, peers = (Scenario(os.path.join(results, f"{s}.tsv")) for s in ("end", "peers"))
    us = {"single": end.service("single"), "batch": end.service("batch"),
          "fastapi": peers.service("fastapi"), "node": peers.service("node")}
    pg = {n: end(n, "pg_us") for n in ("single", "batch")}
    redis = peers("fastapi", "redis_us") or 0
    billions = EVENTS / 1e9

    def gb(per_event, extra):
        return EVENTS * (per_event + extra) / 1e9

    wire = {"single": gb(BYTES, p["WIRE_REQUEST"]), "batch": gb(BYTES, p["WIRE_REQUEST"] / 100)}
    row_gb, stored_gb = gb(BYTES, p["WIRE_ROW"]), gb(BYTES, p["ROW_BYTES"])

    def line(name, arithmetic, dollars):
        return [name, arithmetic, money(dollars), money(dollars / billions)]

    def month(rows):
        table(["line", "arithmetic", "$ a month", "$ a billion"], rows)
        return sum(float(r[2].replace(",", "")) for r in rows)

    print(f"""# What it costs

<!-- made by `make bench` from its figures and the prices in src/cli/cost.c -->

Dollars a billion events, from the CPU time that [BENCHMARKS.md](BENCHMARKS.md) has. The arithmetic is shown so that you
can put in your own traffic; `forebay stats --cost` does it for what a node has really seen.

**Prices are those of {p['of']} for us-east-1, on demand, without savings plans, free tiers and taxes, as far as known to
who wrote them down: check them at https://aws.amazon.com/pricing/ before you decide anything by them.** They stand in one
table in src/cli/cost.c; the few that the command does not need stand in tests/bench/cost.py.

## The traffic

{RATE:,} events a second around the clock with peaks of {PEAK:,}: {billions:.2f} billion a month ({HOURS} hours). An event has {BYTES} bytes; with
headers, answer and TLS a request has {p['WIRE_REQUEST']:,.0f} bytes more, a row on its way to PostgreSQL {p['WIRE_ROW']:.0f}, and in its tables and
indexes {p['ROW_BYTES']:.0f}. Single events, one in a request, unless it says otherwise.

Nodes are bought for the peak at {BUSY:.0%} CPU, and never one alone. A core of c7g (Graviton3) is taken for as fast as one of the machine
that was measured, one of t4g (Graviton2) for {CORE_T4G} times slower: neither has been measured.

## From CPU to a node

| | CPU us an event | vCPU hours a billion | c7g, $ a billion | t4g, $ a billion | cores at the peak |
|---|---|---|---|---|---|""")
    names = (("forebay, single events", us["single"]), ("forebay, 100 a request", us["batch"]),
             ("FastAPI + Redis + worker", us["fastapi"]), ("Node, one INSERT a request", us["node"]),
             ("Elixir, from memory, plain HTTP", ELIXIR_US))
    for name, t in names:
        h = t * 1e9 / 3.6e9
        print(f"| {name} | {t:.1f} | {t:.1f} / 3.6 = {h:.2f} | {money(h * p['c7g.large'] / 2 / BUSY)} | "
              f"{money(h * CORE_T4G * p['t4g.large'] / 2 / BUSY)} | {PEAK * t / 1e6:.2f} |")
    print(f"""
vCPU hours times half the price of a large ({p['c7g.large']} and {p['t4g.large']} dollars an hour for two vCPUs), at {BUSY:.0%} load: what a node costs when
it is as busy as it may be. nginx with TLS is in it (not for Elixir), PostgreSQL is not. A t4g.large may use 30 % of its CPU
without end; beyond that a vCPU hour costs {p['SURPLUS_VCPU_HOUR']} dollars more, so it is for traffic that is quiet at most hours.

## forebay
""")
    for kind, title in (("single", "single events"), ("batch", "100 events a request")):
        n = nodes(us[kind])
        shards = wire[kind] / HOURS
        print(f"{title[0].upper()}{title[1:]}:\n")
        alb = line("ALB", f"{HOURS} x {p['BALANCER_HOUR']} + {shards:.1f} GB an hour x {p['LCU']} x {HOURS}", HOURS * p["BALANCER_HOUR"] + wire[kind] * p["LCU"])
        nlb = line("or NLB", f"the same with {p['NLCU']}", HOURS * p["BALANCER_HOUR"] + wire[kind] * p["NLCU"])
        rds = line("RDS, CPU", f"db.m7g.large, {HOURS} x {p['RDS_HOUR']}; {PEAK * pg[kind] / 1e6:.2f} cores at the peak", HOURS * p["RDS_HOUR"])
        node = line("nodes, c7g", f"{n} c7g.large x {HOURS} x {p['c7g.large']}", n * HOURS * p["c7g.large"])
        t4g = line("or t4g", f"{nodes(us[kind] * CORE_T4G)} t4g.large x {HOURS} x {p['t4g.large']}", nodes(us[kind] * CORE_T4G) * HOURS * p["t4g.large"])
        ebs = line("EBS", f"{n} x 100 GB gp3 x {p['EBS_GB_MONTH']}", n * 100 * p["EBS_GB_MONTH"])
        zone = line("cross-zone", f"{row_gb:,.0f} GB to PostgreSQL x {p['ZONE_GB']}, all to another zone", row_gb * p["ZONE_GB"])
        total = month([node, t4g, ebs, alb, nlb, zone, rds]) - float(t4g[2].replace(",", "")) - float(nlb[2].replace(",", ""))
        print(f"With c7g and ALB: **{money(total)} dollars a month, {money(total / billions)} a billion**. ", end="")
        us[kind + " total"] = total
        if kind == "single":
            print("The load balancer counts bytes, and\nheaders are most of them: requests of several events cost less there than anywhere else.\n")
        else:
            print("\n")
    print(f"""Not in it, for it is the same for whoever fills the table: rows that are kept, {stored_gb:,.0f} GB for each month of retention x {p['RDS_GB_MONTH']} =
{money(stored_gb * p['RDS_GB_MONTH'])} dollars a month ({money(stored_gb * p['RDS_GB_MONTH'] / billions)} a billion); twice that, and twice the RDS line, with a standby in a second zone. An
NLB that spreads over zones pays {p['ZONE_GB']} a GB for that too; an ALB does not. New connections can be the larger part of a balancer's
units: 25 a second are one of an ALB's, 800 one of an NLB's (TCP).

## Others, the same traffic
""")
    lam = EVENTS * (p["LAMBDA_REQUEST"] + p["LAMBDA_S"] * p["LAMBDA_GB"] * p["LAMBDA_GB_S"])
    lam_text = f"{EVENTS / 1e6:,.0f} M x ({p['LAMBDA_REQUEST'] * 1e6:.2f} + {p['LAMBDA_S']} s x {p['LAMBDA_GB']} GB x {p['LAMBDA_GB_S'] * 1e6:.2f})"
    kb = EVENTS * 1024 / 1e9
    alb = HOURS * p["BALANCER_HOUR"] + wire["single"] * p["LCU"]
    k8s = nodes((us["fastapi"] - redis) * 1.2)
    ex = nodes(ELIXIR_US)
    rows = [
        line("API Gateway, REST", f"{EVENTS / 1e6:,.0f} M x 3.50, 2.80, 2.38, 1.51 by tier", tiers(EVENTS, REST_TIERS)),
        line("or HTTP", f"{EVENTS / 1e6:,.0f} M x 1.00, then 0.90", tiers(EVENTS, HTTP_TIERS)),
        line("+ Lambda", lam_text, lam),
        line("Kinesis, on demand", f"{kb:,.0f} GB (a record is a whole KB) x ({p['KINESIS_IN_GB']} + {p['KINESIS_OUT_GB']}) + {HOURS} x {p['KINESIS_HOUR']}",
             kb * (p["KINESIS_IN_GB"] + p["KINESIS_OUT_GB"]) + HOURS * p["KINESIS_HOUR"]),
        line("or provisioned", f"{PEAK // 1000} shards x {HOURS} x {p['SHARD_HOUR']} + {EVENTS / 1e6:,.0f} M x {p['PUT_MILLION']}",
             PEAK / 1000 * HOURS * p["SHARD_HOUR"] + EVENTS / 1e6 * p["PUT_MILLION"]),
        line("Kubernetes + Redis + FastAPI", f"{k8s} c7g.large (20 % for the cluster's own) + EKS {p['EKS_HOUR']} + 2 cache.m7g.large x {p['CACHE_HOUR']}, x {HOURS}; ALB as above",
             HOURS * (k8s * p["c7g.large"] + p["EKS_HOUR"] + 2 * p["CACHE_HOUR"]) + alb),
        line("Elixir cluster", f"{ex} c7g.large x {HOURS} x {p['c7g.large']}; ALB as above", HOURS * ex * p["c7g.large"] + alb),
    ]
    month(rows)
    rest = tiers(EVENTS, REST_TIERS) + lam
    http = tiers(EVENTS, HTTP_TIERS) + lam
    t = us["single total"]
    first = REST_TIERS[0][1] / 1e6 + lam / EVENTS
    two = 2 * HOURS * p["c7g.large"] + HOURS * p["BALANCER_HOUR"] + 16
    print(f"""Each needs PostgreSQL and the way to it besides, and more of it where rows come one by one: an INSERT takes {peers('node', 'pg_us') or 0:.0f} us of its
CPU where COPY takes {pg['single']:.0f}. Kinesis wants signed requests: clients outside need API Gateway, or a service, before it, and something that
reads it. Elixir's figure was taken on this machine once, without TLS and with an answer that promises nothing; FastAPI's answer promises
what Redis has synced within a second.

So API Gateway and Lambda cost {rest / t:,.0f} times (REST) or {http / t:,.0f} times (HTTP) as much as forebay with its database's CPU. What
they give for it: nothing to run, and no nodes when there is no traffic. At {first * 1e6:.2f} dollars a million (REST, first tier), two nodes,
their volumes and a balancer ({money(two)} dollars a month) pay from {two / first / 1e6:,.0f} million requests a month on.

## `forebay stats --cost`

The same lines for the traffic since the collector's first start after boot: so far, for a billion, and for a month of the
same. It knows the node's type from the machine (Nitro) and takes c7g.large otherwise, takes the journal's volume as gp3, lets the
balancer carry this node's traffic alone, and PostgreSQL's CPU at {p['RDS_US']:.0f} us an event and {p['RDS_LOAD']:.0%} load of a db.m7g.large.""")


main()
