-- import.sql - shows what vectord holds as foreign tables: search.packages_near.
\set ECHO queries
CREATE SCHEMA search;
IMPORT FOREIGN SCHEMA public FROM SERVER vectord INTO search;
