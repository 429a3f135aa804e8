-- define.sql - the five statements that make a table searchable. The foreign table is search.packages_near.
\set ECHO queries
SELECT vector_fdw.create_collection(
         name => 'packages_near', source => 'public.packages', vector_column => 'embedding',
         metric => 'cosine', index => 'hnsw', include => '{name,section,description}');
CREATE SCHEMA search;
IMPORT FOREIGN SCHEMA public FROM SERVER vectord INTO search;
