-- Which conditions go over to vectord, and which stay. EXPLAIN contacts nobody.
CREATE SCHEMA filters;
SET search_path = filters, public;
SET client_min_messages = warning;	-- whether rights were granted depends on the roles
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE COLLATION nondeterministic (provider = icu, locale = 'und', deterministic = false);
CREATE TABLE things (id bigint PRIMARY KEY, b boolean, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, t text,
	c text COLLATE "C", nd text COLLATE nondeterministic, vc varchar(10), bp char(5), d date, ts timestamp, tz timestamptz, tm time,
	iv interval, by bytea, u uuid, e mood, j jsonb, ia int[], ta text[], embedding real[]);
SELECT vector_fdw.create_collection('filters_things', 'things', 'embedding',
	include => '{b,i2,i4,i8,f4,f8,n,t,c,nd,vc,bp,d,ts,tz,tm,iv,by,u,e,j,ia,ta}');
CREATE FOREIGN TABLE near (id bigint, b boolean, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, t text,
	c text COLLATE "C", nd text COLLATE nondeterministic, vc varchar(10), bp char(5), d date, ts timestamp, tz timestamptz, tm time,
	iv interval, by bytea, u uuid, e mood, j jsonb, ia int[], ta text[], embedding real[])
	SERVER vectord OPTIONS (collection 'filters_things', schema_name 'filters');

-- What EXPLAIN says of a condition.
CREATE FUNCTION said(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ '(Filter|Range|Count|Cond|Search):' THEN RETURN NEXT trim(line); END IF;
	END LOOP;
END $$;
CREATE FUNCTION pushed(VARIADIC conditions text[]) RETURNS TABLE (condition text, said text) LANGUAGE sql AS
	$$ SELECT c, filters.said('SELECT id FROM near WHERE ' || c) FROM unnest(conditions) c $$;

-- Comparisons of each type, either way round.
SELECT said FROM pushed('i4 = 5', '5 < i4', 'i4 <> 5', 'i2 <= 5', 'i8 > 5', 'i8 >= 5::int2', 'f4 = 0.1', 'f8 < 1.5', 'n > 10.5',
	't = ''a''', 't <> ''a''', 'c < ''a''', 'c >= ''a''', 'vc = ''a''', 'bp = ''a''', 'd = ''2020-01-01''', 'd < ''2020-01-01 12:00''::timestamp',
	'ts >= ''2020-01-01''::date', 'tz > now()', 'tz < ''2020-01-01''::date', 'tm < ''12:00''', 'u = ''00000000-0000-0000-0000-000000000001''',
	'e = ''ok''', 'e <> ''ok''', 'iv > ''1 day''', 'by = ''\x01''');
-- Lists, ranges, NULL, booleans.
SELECT said FROM pushed('i4 IN (1, 2, 3)', 'i4 NOT IN (1, 2)', 'i4 = ANY (''{1,2}''::bigint[])', 't IN (''a'', ''b'')', 'i4 BETWEEN 1 AND 5',
	'i4 NOT BETWEEN 1 AND 5', 'i4 IS NULL', 't IS NOT NULL', 'j IS NULL', 'embedding IS NOT NULL', 'i4 IS DISTINCT FROM 5', 'i4 IS NOT DISTINCT FROM 5', 'b', 'NOT b',
	'b IS TRUE', 'b IS NOT FALSE', 'b IS UNKNOWN', '(i4 > 5) IS NOT TRUE', '(i4 > 5) IS NULL', 'b = (i4 > 3)');
-- Patterns, arrays, jsonb.
SELECT said FROM pushed('t LIKE ''a%''', 't LIKE ''a\%%''', 't LIKE ''abc''', 't NOT LIKE ''a%''', 'vc LIKE ''a%''', 't ^@ ''a''', 'ia && ''{1,2}''',
	'ia @> ''{1}''', '''{1}'' <@ ia', '5 = ANY (ia)', '5 <> ALL (ia)', 'ta && ''{a}''', '''a'' = ANY (ta)', 'j @> ''{"a": 1}''', 'j ? ''a''',
	'j ->> ''a'' = ''b''', 'j ->> ''a'' <> ''b''');
-- Trees; constants; what has one value during a scan.
SELECT said FROM pushed('i4 = 1 AND (t = ''a'' OR NOT (i8 > 5 AND b))', 'i4 = 1 OR current_setting(''application_name'') = ''x''', 'i4 = length(current_user)');

-- These stay local: other orders than C's, nondeterministic collations, patterns with more than a prefix,
-- comparisons of columns, expressions of columns, volatile functions, types without a rule, LIKE of char(n).
SELECT said FROM pushed('t < ''a''', 'e < ''ok''', 'nd = ''a''', 'nd LIKE ''a%''', 't LIKE ''%a''', 't LIKE ''a_''', 't LIKE c', 'i4 = i2', 'i4 % 2 = 1',
	'i4 = 1.5', 'id = random()', 'ts < now()', 'd < now()', 'bp < ''a''', 'bp LIKE ''a%''', 'ia = ''{1}''', 'ia <@ ''{1}''', 'j <@ ''{}''', 'j -> ''a'' = ''1''', 'i4 < ANY (''{1,2}'')',
	'upper(t) = ''A''', 'near IS NULL', 'ia[1] = 3');
-- A condition that stays does not stop the others, but one under OR or NOT takes the rest of it along.
SELECT said FROM pushed('i4 = 1 AND t LIKE ''%a'' AND i8 = 2', 'i4 = 1 OR t LIKE ''%a''', 'i8 = 1 AND (i4 = 1 OR t LIKE ''%a'')');
-- A jsonb nested deeper than the daemon takes stays as well; as a parameter it is an error that says what to do.
CREATE FUNCTION nested(levels int, inner_value text) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT repeat('{"a":[', levels / 2) || repeat('[', levels % 2) || inner_value || repeat(']', levels % 2) || repeat(']}', levels / 2) $$;
SELECT n, left(s, 14) FROM unnest('{1,499,500,501,10000}'::int[]) n, said(format('SELECT id FROM near WHERE i4 = 1 AND j @> %L', nested(n, '1'))) s;
SELECT n, left(s, 14) FROM unnest('{499,500}'::int[]) n, said(format('SELECT id FROM near WHERE j @> %L', nested(n, '{}'))) s;
SELECT vector_fdw.wait_for_collection('filters_things');
INSERT INTO things (id, j) VALUES (1, nested(501, '1')::jsonb), (2, nested(500, '1')::jsonb);
SELECT vector_fdw.wait_for_collection('filters_things');
SELECT format('SELECT id FROM near WHERE j @> %L OR id = 7', nested(501, '1')) AS deep \gset
:deep;
SET plan_cache_mode = force_generic_plan;
PREPARE contains(jsonb) AS SELECT id FROM near WHERE j @> $1;
PREPARE contains_here(jsonb) AS SELECT id FROM near WHERE (j #> '{}') @> $1;
SELECT format('EXECUTE contains(%L)', nested(500, '1')) AS just, format('EXECUTE contains(%L)', nested(501, '1')) AS deep,
	format('EXECUTE contains_here(%L)', nested(501, '1')) AS here \gset
:just;
:deep;
:here;
RESET plan_cache_mode;
DELETE FROM things;
-- Operators are known by what they are, not by their names.
CREATE FUNCTION odd(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
CREATE OPERATOR filters.= (LEFTARG = int, RIGHTARG = int, FUNCTION = odd);
SELECT said FROM pushed('i4 OPERATOR(filters.=) 5', 'i4 OPERATOR(pg_catalog.=) 5');
DROP OPERATOR filters.= (int, int);

-- With ORDER BY and LIMIT, k goes over as well; what stays makes the search exact.
EXPLAIN (COSTS OFF) SELECT id FROM near WHERE i4 = 5 AND b ORDER BY embedding <-> '{1,2}' LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM near WHERE i4 = 5 AND i2 % 2 = 1 ORDER BY embedding <-> '{1,2}' LIMIT 10;
-- Parameters of generic plans, of InitPlans, of LATERAL.
SET plan_cache_mode = force_generic_plan;
PREPARE p(int, text[], text) AS SELECT id FROM near WHERE i4 = $1 AND t = ANY ($2) AND ($3 IS NULL OR c < $3) ORDER BY embedding <-> '{1,2}' LIMIT 10;
EXPLAIN (COSTS OFF) EXECUTE p(1, '{a}', NULL);
RESET plan_cache_mode;
CREATE TABLE outside (a int, t text, q real[]);
EXPLAIN (COSTS OFF) SELECT id FROM near WHERE i4 = (SELECT max(a) FROM outside) ORDER BY embedding <-> '{1,2}' LIMIT 10;
EXPLAIN (COSTS OFF) SELECT n.id FROM outside o CROSS JOIN LATERAL
	(SELECT id FROM near WHERE i4 = o.a AND c > o.t ORDER BY embedding <-> o.q LIMIT 3) n;

-- Ranges of the distance.
SELECT said FROM pushed('embedding <-> ''{1,2}'' < 5', '5 >= embedding <-> ''{1,2}''', 'embedding <-> ''{1,2}'' <= 0.5::real AND i4 = 1',
	'embedding <-> ''{1,2}'' BETWEEN 1 AND 5', 'embedding <=> ''{1,2}'' < 5', 'embedding <-> ''{1,2}'' > 5');
EXPLAIN (COSTS OFF) SELECT id, embedding <-> '{1,2}' AS distance FROM near WHERE embedding <-> '{1,2}' < 5 ORDER BY distance LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM near WHERE embedding <-> '{1,2}' < 5 ORDER BY embedding <-> '{3,4}' LIMIT 10;

-- A column of another type: wider integers and floats go over, others stay.
CREATE FOREIGN TABLE wide (id bigint, i4 bigint, f4 float8, vc text, n numeric(10, 2), bp char(3), embedding real[])
	SERVER vectord OPTIONS (collection 'filters_things', schema_name 'filters');
SELECT said('SELECT id FROM wide WHERE ' || c) FROM unnest('{i4 = 5,f4 < 0.1,vc = ''a'',n = 1,bp = ''a''}'::text[]) c;

-- count(*) when nothing stays.
SELECT said('SELECT ' || what || ' FROM near WHERE i4 = 5') FROM unnest('{count(*),count(1) + 1,count(t),sum(i4)}'::text[]) what;
SELECT said('SELECT count(*) FROM near WHERE ' || c) FROM unnest(ARRAY['i4 = i2', 'embedding <-> ''{1,2}'' < 5']) c;
SELECT said('SELECT i4, count(*) FROM near GROUP BY i4');
SELECT said('SELECT count(*) FROM near HAVING count(*) > 3');

SELECT vector_fdw.drop_collection('filters_things');
DROP SCHEMA filters CASCADE;
