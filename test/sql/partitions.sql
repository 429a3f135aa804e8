-- A partitioned table whose partitions are foreign tables, and UNION ALL: the searches are merged.
CREATE SCHEMA partitions;
SET search_path = partitions, public;
CREATE TABLE docs (id int PRIMARY KEY, part int, embedding real[]);
INSERT INTO docs SELECT i, i % 3, ARRAY[sin(i), cos(i * 1.7), i / 300.0] FROM generate_series(1, 300) i;
CREATE TABLE docs_0 (LIKE docs INCLUDING ALL);
CREATE TABLE docs_1 (LIKE docs INCLUDING ALL);
CREATE TABLE docs_2 (LIKE docs INCLUDING ALL);
INSERT INTO docs_0 SELECT * FROM docs WHERE part = 0;
INSERT INTO docs_1 SELECT * FROM docs WHERE part = 1;
INSERT INTO docs_2 SELECT * FROM docs WHERE part = 2;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('partitions_' || p, ('docs_' || p)::regclass, 'embedding', index => 'flat',
	include => '{part}') FROM generate_series(0, 1) p;
RESET client_min_messages;
SELECT count(vector_fdw.wait_for_collection('partitions_' || p)) FROM generate_series(0, 1) p;

CREATE TABLE near (id int, part int, embedding real[]) PARTITION BY LIST (part);
CREATE FOREIGN TABLE near_0 PARTITION OF near FOR VALUES IN (0) SERVER vectord
	OPTIONS (collection 'partitions_0', schema_name 'partitions');
-- columns in another order
CREATE FOREIGN TABLE near_1 (embedding real[], id int, part int) SERVER vectord
	OPTIONS (collection 'partitions_1', schema_name 'partitions');
ALTER TABLE near ATTACH PARTITION near_1 FOR VALUES IN (1);
-- one of them a table of this database
ALTER TABLE near ATTACH PARTITION docs_2 FOR VALUES IN (2);

EXPLAIN (COSTS OFF) SELECT id, embedding <-> '{1,0,1}' AS d FROM near WHERE part < 2 ORDER BY d LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM near ORDER BY embedding <-> '{1,0,1}' LIMIT 10;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
	SELECT id, embedding <-> '{1,0,1}' AS d FROM near WHERE part < 2 ORDER BY d LIMIT 10;
SELECT (SELECT array_agg(t) FROM (SELECT id, part, embedding <-> '{1,0,1}' AS d FROM near ORDER BY d LIMIT 25) t)
	= (SELECT array_agg(t) FROM (SELECT id, part, embedding <-> '{1,0,1}' AS d FROM docs ORDER BY d LIMIT 25) t) AS same;
SELECT (SELECT array_agg(t) FROM (SELECT id, embedding <-> '{1,0,1}' AS d FROM near ORDER BY d) t)
	= (SELECT array_agg(t) FROM (SELECT id, embedding <-> '{1,0,1}' AS d FROM docs ORDER BY d) t) AS same;
-- parameters, and searches that are begun again
PREPARE search(real[], int) AS SELECT id FROM near ORDER BY embedding <-> $1 LIMIT $2;
SET plan_cache_mode = force_generic_plan;
EXECUTE search('{1,0,1}', 3);
EXECUTE search('{-1,0,0}', 3);
RESET plan_cache_mode;
SELECT q, array_agg(n.id ORDER BY d) = (SELECT array_agg(id ORDER BY d)
		FROM (SELECT id, embedding <-> ARRAY[q, 0, 0.5]::real[] AS d FROM docs ORDER BY d LIMIT 4) s) AS same
	FROM generate_series(-2, 2) q CROSS JOIN LATERAL
		(SELECT id, embedding <-> ARRAY[q, 0, 0.5]::real[] AS d FROM near ORDER BY d LIMIT 4) n
	GROUP BY q ORDER BY q;
SELECT (SELECT id FROM near ORDER BY embedding <-> (SELECT embedding FROM docs WHERE id = 17) LIMIT 1);
-- a partition that is pruned while the query runs is not asked
CREATE SERVER partitions_nobody FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint 'ipc:///nonexistent/vectord.sock');
CREATE FOREIGN TABLE near_3 PARTITION OF near FOR VALUES IN (3) SERVER partitions_nobody
	OPTIONS (collection 'partitions_0', schema_name 'partitions');
SELECT id FROM near WHERE part = (SELECT 0) ORDER BY embedding <-> '{1,0,1}' LIMIT 3;
SELECT p, n.id FROM generate_series(0, 1) p
	CROSS JOIN LATERAL (SELECT id FROM near WHERE part = p ORDER BY embedding <-> '{1,0,1}' LIMIT 1) n;
SELECT id FROM near ORDER BY embedding <-> '{1,0,1}' LIMIT 3;
DROP FOREIGN TABLE near_3;
DROP SERVER partitions_nobody;
-- the same through UNION ALL
SELECT (SELECT array_agg(t) FROM (SELECT id, embedding <-> '{1,0,1}' AS d FROM near_0 UNION ALL
		SELECT id, embedding <-> '{1,0,1}' FROM near_1 ORDER BY d LIMIT 25) t)
	= (SELECT array_agg(t) FROM (SELECT id, embedding <-> '{1,0,1}' AS d FROM docs WHERE part < 2
		ORDER BY d LIMIT 25) t) AS same;

SET client_min_messages = warning;
SELECT count(vector_fdw.drop_collection('partitions_' || p)) FROM generate_series(0, 1) p;
DROP SCHEMA partitions CASCADE;
