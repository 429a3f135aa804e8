-- measure.sql - 200 rows of the table, each as a question: recall and time against the exact answer.
\pset footer off
SELECT round(recall::numeric, 4) AS "recall@10", round(search_ms::numeric, 3) AS "index, ms",
       round(exact_ms::numeric, 3) AS "exact scan, ms", round((exact_ms / search_ms)::numeric) AS "times faster"
  FROM vector_fdw.recall('search.packages_near', k => 10, samples => 200);
