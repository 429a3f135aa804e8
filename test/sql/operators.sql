-- Distance operators on real[] and double precision[]: values, NULLs, and what is no vector.

-- Values that are exact in binary, so that they print the same everywhere.
SELECT '{1,2,3}'::real[] <-> '{1,2,7}' AS l2, '{1,2,3}'::real[] <#> '{1,2,7}' AS ip,
       '{1,0}'::real[] <=> '{0,1}' AS cosine, '{1,2,3}'::real[] <+> '{3,0,4}' AS l1;
SELECT '{1,2,3}'::float8[] <-> '{1,2,7}' AS l2, '{1,2,3}'::float8[] <#> '{1,2,7}' AS ip,
       '{1,0}'::float8[] <=> '{0,1}' AS cosine, '{1,2,3}'::float8[] <+> '{3,0,4}' AS l1;
SELECT '{3}'::real[] <-> '{-4}' AS one_dimension, '{3}'::real[] <=> '{-4}' AS opposite,
       '{3}'::real[] <=> '{8}' AS same_direction;

-- The functions behind them.
SELECT vector_fdw.l2_distance('{0,0}'::real[], '{3,4}'), vector_fdw.inner_product('{1,2}'::real[], '{3,4}'),
       vector_fdw.negative_inner_product('{1,2}'::real[], '{3,4}'),
       vector_fdw.cosine_distance('{1,1}'::real[], '{-1,-1}'), vector_fdw.l1_distance('{0,0}'::real[], '{3,4}');

-- Arrays of other numbers find an operator; lower bounds other than 1 do not matter.
SELECT '{1,2}'::real[] <-> ARRAY[4, 6] AS integers, '{1,2}'::real[] <-> ARRAY[4.0, 6.0] AS numerics,
       '{1,2}'::real[] <-> ARRAY[4, 6]::float8[] AS doubles, '[5:6]={1,2}'::real[] <-> '{4,6}' AS bounds;

-- A NULL vector has no distance.
SELECT NULL::real[] <-> '{1}' AS left_null, '{1}'::real[] <=> NULL AS right_null;

-- Cosine of a zero vector is NaN, which comes after all numbers and before NULL.
CREATE TEMP TABLE v (id int, e real[]);
INSERT INTO v VALUES (1, '{0,0}'), (2, NULL), (3, '{1,1}'), (4, '{-1,-1}'), (5, '{NaN,1}'), (6, '{Infinity,1}');
SELECT id, e <=> '{1,1}' AS distance FROM v ORDER BY 2, 1;
SELECT id, e <-> '{1,1}' AS distance FROM v ORDER BY 2, 1;

-- double precision[] is rounded to real first: both types give the same bits.
SELECT float8send(ARRAY[0.1, 0.2, 0.7]::float8[] <-> ARRAY[0.3, 0.9, 0.4]::float8[])
     = float8send(ARRAY[0.1, 0.2, 0.7]::real[] <-> ARRAY[0.3, 0.9, 0.4]::real[]) AS same_bits;
SELECT count(*) AS pairs, count(*) FILTER (WHERE
         float8send(a <-> b) <> float8send(a::float8[] <-> b::float8[]) OR
         float8send(a <#> b) <> float8send(a::float8[] <#> b::float8[]) OR
         float8send(a <=> b) <> float8send(a::float8[] <=> b::float8[]) OR
         float8send(a <+> b) <> float8send(a::float8[] <+> b::float8[])) AS differing,
       count(*) FILTER (WHERE float8send(a <-> b) <> float8send(b <-> a) OR
         float8send(a <=> b) <> float8send(b <=> a)) AS asymmetric
FROM (SELECT array_agg(sin(n * i)::real) AS a, array_agg(cos(n * i)::real) AS b
      FROM generate_series(1, 80) AS n, LATERAL generate_series(1, n) AS i GROUP BY n) AS pairs;

-- Long vectors, over the tail of every block of lanes.
SELECT d, array_fill(1::real, ARRAY[d]) <-> array_fill(0::real, ARRAY[d]) = sqrt(d) AS l2,
       array_fill(2::real, ARRAY[d]) <#> array_fill(3::real, ARRAY[d]) AS ip,
       array_fill(2::real, ARRAY[d]) <+> array_fill(-1::real, ARRAY[d]) AS l1
FROM unnest(ARRAY[31, 32, 33, 63, 64, 65, 1000]) AS d;
-- Stored out of line, compressed or not.
CREATE TEMP TABLE long (e real[]);
INSERT INTO long SELECT array_agg(i % 97) FROM generate_series(1, 5000) AS i;
INSERT INTO long SELECT array_fill(1::real, ARRAY[5000]);
SELECT e <+> array_fill(0::real, ARRAY[5000]) AS l1 FROM long;

-- What is no vector.
SELECT '{1,2}'::real[] <-> '{1,2,3}';
\echo :SQLSTATE
SELECT '{}'::real[] <-> '{}';
\echo :SQLSTATE
SELECT '{1}'::real[] <=> '{}';
\echo :SQLSTATE
SELECT '{1,NULL}'::real[] <-> '{1,2}';
\echo :SQLSTATE
SELECT '{1,2}'::float8[] <#> '{1,NULL}';
\echo :SQLSTATE
SELECT '{{1,2}}'::real[] <+> '{1,2}';
\echo :SQLSTATE
SELECT '{1,1e39}'::float8[] <-> '{1,2}';
\echo :SQLSTATE
SELECT '{1,1e-60}'::float8[] <-> '{1,0}' AS too_small_is_zero;

-- A bitmap of NULLs without a NULL is no obstacle.
SELECT (ARRAY[1, NULL]::real[])[1:1] <-> '{4}' AS sliced;

-- What the planner knows of them.
SELECT o.oprname, o.oprleft::regtype AS type, o.oprcom = o.oid AS commutes, p.oid::regproc AS function,
       p.provolatile, p.proparallel, p.proisstrict
FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'
JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'vector_fdw'
ORDER BY 2, 1;

-- What vectord copies tables by: finite elements in single precision, big-endian after their number; all else
-- as array_send() has it, for vectord to say what is wrong.
SELECT vector_fdw.packed_vector('{1,-2.5}'::real[]) AS of_real,
       vector_fdw.packed_vector('[5:6]={1,0.1}'::float8[]) AS of_double;
SELECT packed = array_send(v) AS as_sent, v
FROM (VALUES ('{}'::real[]), ('{1,NULL}'), ('{NaN}'), ('{{1,2}}')) AS t(v), vector_fdw.packed_vector(v) packed;
SELECT vector_fdw.packed_vector('{1e39}'::float8[]) = array_send('{1e39}'::float8[]) AS too_large;
SELECT length(vector_fdw.packed_vector(array_fill(1::real, ARRAY[65535]))) AS longest,
       length(vector_fdw.packed_vector(array_fill(1::real, ARRAY[65536]))) AS longer;
