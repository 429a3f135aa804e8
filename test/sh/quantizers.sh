#!/bin/bash
# quantizers.sh - each quantizer, with hnsw and ivf, vectors on disk: searches find nearly all nearest rows with their
# true distances; alter_collection() changes the quantizer.
#
# QUANTIZER_ROWS (12000) sets the size.
set -euo pipefail

rows=${QUANTIZER_ROWS:-12000}
export RECALL_ROWS=$rows RECALL_DIMENSIONS=128 RECALL_QUERIES=20 RECALL_SEED=42
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v rows="$rows" "$@"; }

sql -c 'CREATE TABLE items (id int PRIMARY KEY, v real[] NOT NULL)'
perl "$(dirname "$0")/clusters.pl" | sql -c 'COPY items FROM STDIN'
sql <<'SQL' >/dev/null
CREATE TABLE queries (id int PRIMARY KEY, v real[] NOT NULL);
WITH taken AS (DELETE FROM items WHERE id > :rows RETURNING *) INSERT INTO queries SELECT * FROM taken;
CREATE FUNCTION must(holds boolean, what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF holds IS NOT TRUE THEN RAISE 'not so: %', what; END IF;
	RETURN '# ' || what;
END $$;
CREATE TABLE truth AS SELECT q.id AS query, near.id, near.d FROM queries q,
	LATERAL (SELECT id, v <-> q.v AS d FROM items ORDER BY d LIMIT 10) near;
SQL

# What the collection finds, beside the truth.
check() {
	sql <<-SQL
		SELECT must(count(*) = 200 AND bool_and(f.d = f.v <-> q.v) AND
		            avg((f.d <= (SELECT max(d) FROM truth WHERE query = q.id))::int) >= $2,
		            format('$1: %s rows, exact distances %s, recall %s', count(*), bool_and(f.d = f.v <-> q.v),
		                   round(avg((f.d <= (SELECT max(d) FROM truth WHERE query = q.id))::int), 3)))
		  FROM queries q, LATERAL (SELECT n.id, n.d, i.v FROM
		       (SELECT id, v <-> q.v AS d FROM near ORDER BY d LIMIT 10) n JOIN items i USING (id)) f;
	SQL
}

for index in hnsw ivf; do
	sql -c "SELECT vector_fdw.create_collection('near', 'items', 'v', index => '$index',
	               options => '{\"quantizer\": \"none\", \"storage\": \"disk\"}')" \
	    -c "SELECT vector_fdw.wait_for_collection('near')" >/dev/null
	sql -c "CREATE FOREIGN TABLE near (id int, v real[]) SERVER vectord"
	check "$index none" 0.9
	for quantizer in fp16 sq8 pq; do
		sql -c "SELECT vector_fdw.alter_collection('near', options => '{\"quantizer\": \"$quantizer\"}')" \
		    -c "SELECT vector_fdw.wait_for_collection('near')" >/dev/null
		check "$index $quantizer" 0.9
	done
	sql -c "SELECT vector_fdw.alter_collection('near', options => '{\"oversample\": 20}')" >/dev/null
	check "$index pq, oversample 20" 0.95
	sql -c "DROP FOREIGN TABLE near" -c "SELECT vector_fdw.drop_collection('near')" >/dev/null
done
