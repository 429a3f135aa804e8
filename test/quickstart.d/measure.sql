-- measure.sql - 200 rows of the table, each as a question: recall, and time a question by either way in
-- vectord. What the table itself takes without vectord, ask.sql has shown.
\pset footer off
SELECT round(recall::numeric, 4) AS "recall@10", round(search_ms::numeric, 3) AS "by the index, ms",
       round(exact_ms::numeric, 3) AS "vectord's exact scan, ms"
  FROM vector_fdw.recall('search.packages_near', k => 10, samples => 200);
