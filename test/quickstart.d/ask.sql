-- ask.sql - one question: the answer of the index, its plan, its time, and how much of the exact answer it is.
-- Variables: subject, for the reader; question, the text of a row of the table "questions".
\pset footer off
\echo
\echo '--- Packages like' :subject '---'
SELECT name, round((embedding <=> (SELECT embedding FROM questions WHERE question = :'question'))::numeric, 4) AS distance,
       description
  FROM search.packages_near
 ORDER BY embedding <=> (SELECT embedding FROM questions WHERE question = :'question')
 LIMIT 8;

\pset tuples_only on
\echo 'Its plan:'
EXPLAIN (COSTS OFF)
SELECT name FROM search.packages_near
 ORDER BY embedding <=> (SELECT embedding FROM questions WHERE question = :'question')
 LIMIT 8;

\echo 'By the index:'
\timing on
SELECT name FROM search.packages_near
 ORDER BY embedding <=> (SELECT embedding FROM questions WHERE question = :'question')
 LIMIT 8 \g /dev/null
\timing off

\echo 'Exactly, by PostgreSQL alone over the whole table:'
\timing on
SELECT name FROM packages
 ORDER BY embedding <=> (SELECT embedding FROM questions WHERE question = :'question')
 LIMIT 8 \g /dev/null
\timing off

-- An answer counts as right when it is no farther than the exact eighth: names may tie.
WITH question AS MATERIALIZED (SELECT embedding FROM questions WHERE question = :'question'),
exact AS (
  SELECT embedding <=> (TABLE question) AS distance FROM packages ORDER BY distance LIMIT 8),
answer AS (
  SELECT embedding <=> (TABLE question) AS distance FROM search.packages_near ORDER BY distance LIMIT 8)
SELECT format('Of the exact first 8, the index found %s.',
              count(*) FILTER (WHERE distance <= (SELECT max(distance) FROM exact)))
  FROM answer;
\pset tuples_only off
