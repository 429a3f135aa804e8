-- Databases in other encodings than UTF8.

-- Nobody knows what the bytes in such a database mean, so none of them may come to vectord.
CREATE DATABASE encodings_none ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
SELECT current_database() AS here \gset
\c encodings_none
CREATE EXTENSION vector_fdw;
CREATE TABLE docs (id int PRIMARY KEY, v real[]);
SELECT vector_fdw.create_collection('docs', 'docs', 'v');
\echo :SQLSTATE
TABLE vector_fdw.collection;

\c :here
DROP DATABASE encodings_none;
