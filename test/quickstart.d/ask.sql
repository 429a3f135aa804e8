-- ask.sql - one question: the answer of the index, its plan, and how much of the exact answer it is.
-- Variables: subject, for the reader; question, the text of a row of the table "questions".
\pset footer off
\echo
\echo '--- Packages like' :subject '---'
\timing on
SELECT name, round((embedding <=> (SELECT embedding FROM questions WHERE question = :'question'))::numeric, 4) AS distance,
       description
  FROM search.packages_near
 ORDER BY embedding <=> (SELECT embedding FROM questions WHERE question = :'question')
 LIMIT 8;
\timing off

\pset tuples_only on
EXPLAIN (COSTS OFF)
SELECT name FROM search.packages_near
 ORDER BY embedding <=> (SELECT embedding FROM questions WHERE question = :'question')
 LIMIT 8;

-- An answer counts as right when it is no farther than the exact eighth: names may tie.
CREATE TEMPORARY TABLE exact AS
SELECT embedding <=> (SELECT embedding FROM questions WHERE question = :'question') AS distance
  FROM packages
 ORDER BY distance
 LIMIT 8;
WITH answer AS (
  SELECT embedding <=> (SELECT embedding FROM questions WHERE question = :'question') AS distance
    FROM search.packages_near
   ORDER BY distance
   LIMIT 8)
SELECT format('Of the exact first 8, the index found %s.',
              count(*) FILTER (WHERE distance <= (SELECT max(distance) FROM exact)))
  FROM answer;
DROP TABLE exact;
\pset tuples_only off
