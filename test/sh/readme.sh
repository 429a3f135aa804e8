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

blocks=$(awk '/^```sql$/ {on = 1; print "\\echo ## " ++n; next} /^```$/ {on = 0} on' README.md)
[ "$(grep -c ';$' <<<"$blocks")" -ge 12 ]
out=$(sed "s|ipc:///run/vectord/vectord.sock|$VECTORD_ENDPOINT|" <<<"$blocks" | sql -A -t)

# block N: what the Nth block printed
block() { awk -v n="$1" '/^## / {on = $2 == n; next} on' <<<"$out"; }
# same WHAT GOT EXPECTED
same() {
	if [ "$2" != "$3" ]; then printf 'not ok - %s:\n%s\ninstead of\n%s\n' "$@" && exit 1; fi
}

# Searches: in the order of the table's own operator.
nearest="ORDER BY embedding <=> '{0.1,0.7,0.2}' LIMIT 10"
expected=$(sql -A -t -c "SELECT id FROM docs $nearest")
same "the first query" "$(block 2 | cut -d'|' -f1)" "$expected"
same "whole rows" "$(block 3 | cut -d'|' -f1)" "$expected"
same "the filter and the range" "$(block 5 | cut -d'|' -f1)" "$(sql -A -t -c "SELECT id FROM docs
	WHERE year BETWEEN 2005 AND 2020 AND (title LIKE 'title 1%' OR id IN (2, 3, 5)) $nearest" \
	-c "SELECT count(*) FROM docs WHERE embedding <=> '{0.1,0.7,0.2}' < 0.5")"
same "many query vectors" "$(block 6 | cut -d'|' -f1,2)" "$(sql -A -t -c "SELECT n, id
	FROM (VALUES (1, '{0.1,0.7,0.2}'::real[]), (2, '{0.9,0.1,0.1}')) q(n, v) CROSS JOIN LATERAL
		(SELECT id, embedding <=> v AS d FROM docs WHERE year > 2010 ORDER BY d LIMIT 3) found ORDER BY n, d")"
# Hybrid search: the same statement over the table alone, and it did need both lists.
hybrid=$(awk '/^WITH nearest/ {on = 1} /^```$/ {on = 0} on' README.md)
same "hybrid search" "$(block 7)" "$(sql -A -t <<<"${hybrid//search.docs_vec/docs}")"
[ "$(block 7 | wc -l)" = 10 ]
[ "$(block 7 | head -1 | cut -d'|' -f3)" = 0.03279 ] # 2 / 61: first in both lists
# Whatever EXPLAIN is said to show, it shows.
plan=$(sql -A -t -c "EXPLAIN (COSTS OFF) SELECT id FROM search.docs_vec ORDER BY embedding <=> '{1,1,1}' LIMIT 10")
grep -q 'Vector Search: docs_vec <=> k=10' <<<"$plan"
grep -q 'Index: hnsw ef_search=auto' <<<"$plan"
