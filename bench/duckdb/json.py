"""DuckDB's reader of JSON lines on one thread: the same files and columns as `cargo bench --bench json -- rivals`.

Called as `json.py CASE KIND INPUT COLUMNS [STATUS]`: COLUMNS are names separated by commas, STATUS is the value that
`status` must have. Columns are made and thrown away (EXPLAIN ANALYZE). The cost is the CPU time of the process for a query,
the median of many; the files come out of the kernel's cache. Prints one line in the form of the Rust readers.
"""

import os
import sys
import time

import duckdb

ROUNDS = 21
KINDS = {
    "payments": {
        "event_timestamp": "TIMESTAMP_MS",
        "user_id": "VARCHAR",
        "transaction_id": "VARCHAR",
        "total_paid": "DOUBLE",
        "status": "VARCHAR",
    },
    "events": {
        f"{name}_{field}": kind
        for field in range(20)
        for name, kind in [
            [("count", "BIGINT"), ("price", "DOUBLE"), ("name", "VARCHAR"), ("flag", "BOOLEAN"), ("at", "TIMESTAMP_MS")][field % 5]
        ]
    },
}


def main() -> None:
    case, kind, source, wanted, *status = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 1})
    declared = ", ".join(f"{name}: '{sql}'" for name, sql in KINDS[kind].items())
    rows_in = f"FROM read_json('{source}', format = 'newline_delimited', columns = {{{declared}}})"
    rows_out = rows_in + "".join(f" WHERE status = '{value}'" for value in status)
    count_in, count_out = (connection.execute(f"SELECT count(*) {rows}").fetchone()[0] for rows in (rows_in, rows_out))
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        connection.execute(f"EXPLAIN ANALYZE SELECT {wanted} {rows_out}").fetchall()
        seconds.append(time.process_time() - start)
    seconds.sort()
    median = seconds[ROUNDS // 2]
    spread = (seconds[-1] - seconds[0]) / median
    print(case, "DuckDB, read_json", os.path.getsize(source), count_in, count_out, median, spread, sep="\t")


main()
