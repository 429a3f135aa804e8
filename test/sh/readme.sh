#!/bin/bash
# readme.sh - the SQL of README.md works as it stands there.
#
# Every ```sql block runs in order, in a database that has only the table docs that they speak of. The
# endpoint is the sandbox's.
set -euo pipefail

sql() { psql -X -q -v ON_ERROR_STOP=1 "$@"; }

sql <<'SQL'
SET client_min_messages = warning;
DROP EXTENSION vector_fdw CASCADE;
DROP SCHEMA IF EXISTS search CASCADE;
CREATE TABLE docs (id bigint PRIMARY KEY, title text, year int, embedding real[]);
INSERT INTO docs SELECT i, 'title ' || i, 2000 + i % 25, ARRAY[cos(i), sin(i), 0.1]::real[]
  FROM generate_series(1, 100) i;
SQL

blocks=$(awk '/^```sql$/ {on = 1; next} /^```$/ {on = 0} on' README.md)
[ "$(grep -c ';$' <<<"$blocks")" -ge 8 ]
out=$(sed "s|ipc:///run/vectord/vectord.sock|$VECTORD_ENDPOINT|" <<<"$blocks" | sql -A -t)

# Two searches of ten rows, each in the order of the table's own operator.
expected=$(sql -A -t -c "SELECT id FROM docs ORDER BY embedding <=> '{0.1,0.7,0.2}' LIMIT 10")
[ "$(grep '|' <<<"$out" | cut -d'|' -f1 | head -n 10)" = "$expected" ]
[ "$(grep '|' <<<"$out" | cut -d'|' -f1 | tail -n 10)" = "$expected" ]
# Whatever EXPLAIN is said to show, it shows.
plan=$(sql -A -t -c "EXPLAIN (COSTS OFF) SELECT id FROM search.docs_vec ORDER BY embedding <=> '{1,1,1}' LIMIT 10")
grep -q 'Vector Search: docs_vec <=> k=10' <<<"$plan"
grep -q 'Index: hnsw ef_search=auto' <<<"$plan"
