"""Carries the Redis stream into PostgreSQL, 1,000 events a batch, by COPY BINARY.

Acknowledged after COMMIT, so a crash repeats a batch: the unique index on fingerprint
turns that down, and the batch goes through a staging table once.
"""
import asyncio
import hashlib
import json
import os
import uuid
from datetime import datetime, timezone

import asyncpg
import redis.asyncio
import uvloop

COLUMNS = ("received_at", "fingerprint", "key", "source", "id", "type", "subject", "time",
           "payload", "context", "segment", "seq")
SEGMENT = uuid.uuid4()
BATCH = 1000


def text(fields, name):
    value = fields.get(name)
    return value.decode() if value is not None else None


def row(seq, entry, fields):
    received = datetime.fromtimestamp(int(entry.split(b"-")[0]) / 1000, timezone.utc)
    payload = fields[b"payload"]
    digest = hashlib.sha256(fields.get(b"source", b"") + b"\0" + fields.get(b"id", entry) + b"\0" + payload).digest()
    time = text(fields, b"time")
    return (received, uuid.UUID(bytes=digest[:16]), "", text(fields, b"source"), text(fields, b"id"),
            text(fields, b"type"), text(fields, b"subject"),
            datetime.fromisoformat(time.replace("Z", "+00:00")) if time else None,
            payload.decode(), json.dumps({"client_ip": text(fields, b"client")}), SEGMENT, seq)


async def load(pg, rows):
    try:
        await pg.copy_records_to_table("event", schema_name="forebay", columns=COLUMNS, records=rows)
    except asyncpg.UniqueViolationError:
        async with pg.transaction():
            await pg.execute("CREATE TEMP TABLE staging (LIKE forebay.event) ON COMMIT DROP")
            await pg.copy_records_to_table("staging", columns=COLUMNS, records=rows)
            await pg.execute("INSERT INTO forebay.event SELECT * FROM staging ON CONFLICT DO NOTHING")


async def main():
    store = redis.asyncio.Redis(unix_socket_path=os.environ["REDIS_SOCKET"])
    pg = await asyncpg.connect(host=os.environ["PGHOST"], user="forebay", database="forebay")
    await pg.execute("SELECT forebay.make_partitions_ahead(1)")
    await store.xgroup_create("events", "pg", id="0", mkstream=True)
    seq = 0
    while True:
        answer = await store.xreadgroup("pg", "one", {"events": ">"}, count=BATCH, block=1000)
        if not answer:
            continue
        entries = answer[0][1]
        await load(pg, [row(seq + n, entry, fields) for n, (entry, fields) in enumerate(entries, 1)])
        seq += len(entries)
        ids = [entry for entry, _ in entries]
        pipe = store.pipeline(transaction=False)
        pipe.xack("events", "pg", *ids)
        pipe.xdel("events", *ids)
        await pipe.execute()


uvloop.install()
asyncio.run(main())
