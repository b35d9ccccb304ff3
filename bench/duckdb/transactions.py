"""DuckDB's side of the payments: one query over the file of JSON lines, one thread.

Called as `transactions.py w1|w1-json|w2 INPUT OUTPUT`. The whole process is measured from outside; nothing is timed here.
The blackhole of w1 is EXPLAIN ANALYZE, which runs the query and drops every chunk of its result.
Window numbers are integer arithmetic on the milliseconds, which DuckDB does faster than time_bucket.
"""

import sys

import duckdb

COLUMNS = {
    "event_timestamp": "TIMESTAMP",
    "user_id": "VARCHAR",
    "transaction_id": "VARCHAR",
    "total_paid": "DOUBLE",
    "status": "VARCHAR",
}

PAID = "SELECT event_timestamp, user_id, total_paid FROM transactions WHERE status = 'Paid'"

TOTALS = """
SELECT make_timestamp_ms(number * 3000) AS window_start, make_timestamp_ms(number * 3000 + 3000) AS window_end,
       user_id, paid_sum, paid_count, paid_avg
FROM (
  SELECT epoch_ms(event_timestamp) // 3000 AS number, user_id,
         sum(total_paid) AS paid_sum, count(*) AS paid_count, avg(total_paid) AS paid_avg
  FROM transactions WHERE status = 'Paid' GROUP BY ALL
)
"""

STATEMENTS = {
    "w1": "EXPLAIN ANALYZE {paid}",
    "w1-json": "COPY ({paid}) TO '{output}' (FORMAT json)",
    "w2": "COPY ({totals}) TO '{output}' (FORMAT json)",
}


def main() -> None:
    query, source, output = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 1})
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
    connection.execute(
        f"CREATE VIEW transactions AS SELECT * FROM read_json('{source}', "
        f"format = 'newline_delimited', columns = {{{columns}}})"
    )
    connection.execute(STATEMENTS[query].format(paid=PAID, totals=TOTALS, output=output)).fetchall()


main()
