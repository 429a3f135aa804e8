-- define.sql - makes a table searchable: vectord begins to copy and index it when this is committed.
\set ECHO queries
\pset tuples_only on
SELECT vector_fdw.create_collection(
         name => 'packages_near', source => 'public.packages', vector_column => 'embedding',
         metric => 'cosine', index => 'hnsw', include => '{name,section,description}');
