-- What may be searched for, and what is refused.
CREATE SCHEMA query_vectors;
SET search_path = query_vectors, public;
CREATE TABLE docs (id int PRIMARY KEY, embedding real[]);
INSERT INTO docs SELECT i, ARRAY[i, i % 3, -i] FROM generate_series(1, 100) i;
CREATE TABLE docs8 (id int PRIMARY KEY, embedding double precision[]);
INSERT INTO docs8 SELECT i, ARRAY[i / 3.0, i % 3, -i] FROM generate_series(1, 100) i;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
SELECT vector_fdw.create_collection('qv_docs', 'docs', 'embedding', index => 'flat');
SELECT vector_fdw.create_collection('qv_docs8', 'docs8', 'embedding', index => 'flat');
RESET client_min_messages;
SELECT count(vector_fdw.wait_for_collection(c)) FROM unnest('{qv_docs,qv_docs8}'::text[]) c;
CREATE FOREIGN TABLE near (id int, embedding real[]) SERVER vectord
	OPTIONS (collection 'qv_docs', schema_name 'query_vectors');
CREATE FOREIGN TABLE near8 (id int, embedding double precision[]) SERVER vectord
	OPTIONS (collection 'qv_docs8', schema_name 'query_vectors');
CREATE FUNCTION search(query real[]) RETURNS int LANGUAGE sql AS
	'SELECT id FROM near ORDER BY embedding <-> query LIMIT 1';

SELECT search('{5,2,-5}');
SELECT search('[0:2]={7,1,-7}');
SELECT search('{1,2,NULL}');
SELECT search('{{1,2,3}}');
SELECT search('{}');
SELECT search('{1,NaN,3}');
SELECT search('{1,2,Infinity}');
SELECT search('{1,2,-Infinity}');
SELECT search('{1,2}');
SELECT search('{1}');
SELECT search(array_fill(1::real, ARRAY[70000]));
SELECT count(*) FROM near WHERE search(NULL) IS NOT NULL;

-- double precision[] is rounded to real
SELECT id FROM near8 ORDER BY embedding <-> '{1,2,-3}'::float8[] LIMIT 2;
EXPLAIN (COSTS OFF) SELECT id FROM near8 ORDER BY embedding <-> '{1,2,-3}'::float8[] LIMIT 2;
EXPLAIN (COSTS OFF) SELECT id FROM near8 ORDER BY embedding::real[] <-> '{1,2,-3}' LIMIT 2;
SELECT id FROM near8 ORDER BY embedding <-> '{1e300,2,-3}'::float8[] LIMIT 2;
SELECT (SELECT array_agg(t) FROM (SELECT id, embedding <-> '{0.1,0.2,-0.3}'::float8[] AS d FROM near8 ORDER BY d LIMIT 20) t)
	= (SELECT array_agg(t) FROM (SELECT id, embedding <-> '{0.1,0.2,-0.3}'::float8[] AS d FROM docs8 ORDER BY d LIMIT 20) t) AS same;
SELECT embedding FROM near8 ORDER BY embedding <-> '{1,2,-3}'::float8[] LIMIT 1;

-- What has no value before there are rows: window functions, aggregates, sets.
SELECT id FROM near WHERE id < 6 ORDER BY embedding <-> ARRAY[row_number() OVER (ORDER BY id DESC), 0, 0]::real[], id LIMIT 3;
SELECT id FROM docs WHERE id < 6 ORDER BY embedding <-> ARRAY[row_number() OVER (ORDER BY id DESC), 0, 0]::real[], id LIMIT 3;
SELECT count(*) FROM (SELECT id FROM near WHERE id < 6 ORDER BY embedding <-> ARRAY[row_number() OVER (), 0, 0]::real[] LIMIT 3) t;
SELECT id, generate_series(1, 2) FROM near ORDER BY embedding <-> ARRAY[generate_series(1, 2), 0, 0]::real[], 1, 2 LIMIT 3;
SELECT id, generate_series(1, 2) FROM docs ORDER BY embedding <-> ARRAY[generate_series(1, 2), 0, 0]::real[], 1, 2 LIMIT 3;
SELECT id FROM near WHERE id < 6 GROUP BY id, embedding ORDER BY embedding <-> ARRAY[count(*) + 4, 1, -4]::real[] LIMIT 2;
SELECT q.n, v.id FROM (SELECT count(*) AS n FROM docs GROUP BY id % 7) q CROSS JOIN LATERAL
	(SELECT id FROM near ORDER BY embedding <-> ARRAY[q.n, 0, -q.n]::real[], id LIMIT 1) v ORDER BY 1, 2;

SET client_min_messages = warning;
SELECT count(vector_fdw.drop_collection(c)) FROM unnest('{qv_docs,qv_docs8}'::text[]) c;
DROP SCHEMA query_vectors CASCADE;
