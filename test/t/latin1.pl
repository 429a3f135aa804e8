# latin1.pl - names and texts beyond ASCII in a database whose encoding is not UTF8, everywhere that they go to
# vectord and come back.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use VectorDaemon;

my $vectord = VectorDaemon->create('latin1', start => 0);
my $node = $vectord->node;
$node->safe_psql('postgres',
	q(CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'));
$vectord->append_config("[[source]]\ndsn = \"host="
	  . $node->host . ' port=' . $node->port
	  . " dbname=latin user=vectord application_name=vectord\"\nslot = \"vectord_latin\"\n");
$vectord->start;
my $endpoint = $vectord->endpoint;

# This file is UTF-8, and so is what psql sends and gets: the server converts.
$ENV{PGCLIENTENCODING} = 'UTF8';
sub query { return $node->safe_psql('latin', $_[0]); }
sub refusal
{
	my (undef, undef, $err) = $node->psql('latin', "\\set VERBOSITY verbose\n$_[0]");
	return $err;
}

query(qq(
	CREATE EXTENSION vector_fdw;
	CREATE SERVER vectord FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint '$endpoint');
	CREATE SCHEMA "bücher";
	SET search_path = "bücher", public;
	CREATE TYPE "läune" AS ENUM ('fröhlich', 'müde');
	CREATE TABLE "täble" ("schlüssel" int PRIMARY KEY, "köl" text, "täg" text[], v real[], "größe" int, l "läune");
	INSERT INTO "täble" SELECT i, 'wört ' || i % 3, ARRAY['ä' || i % 2], ARRAY[i, 1], i,
		CASE WHEN i = 7 THEN 'müde' ELSE 'fröhlich' END::"läune" FROM generate_series(1, 20) i;
	SELECT vector_fdw.create_collection('sömmlung', '"täble"', 'v', index => 'flat', include => '{köl,täg,größe,l}')));
query(q(SELECT vector_fdw.wait_for_collection('sömmlung')));
query(q(CREATE SCHEMA suche; IMPORT FOREIGN SCHEMA "bücher" LIMIT TO ("sömmlung") FROM SERVER vectord INTO suche));

my $near = 'suche."sömmlung"';
is(query(qq(SELECT "schlüssel", "köl" FROM $near ORDER BY v <-> '{3,1}' LIMIT 2)), "3|wört 0\n2|wört 2",
	'a search finds collection, schema and columns');
is(query("SELECT count(*) FROM $near"), 20, 'a count');
is(query(qq(SELECT "schlüssel" FROM $near WHERE "größe" BETWEEN 4 AND 5 ORDER BY v <-> '{9,1}')), "5\n4",
	'a filter names columns');
like(query(qq(EXPLAIN SELECT "schlüssel" FROM $near WHERE "größe" BETWEEN 4 AND 5)), qr/Remote Filter:.*größe/,
	'which goes over');
is(query(qq(SELECT "schlüssel" FROM $near WHERE "köl" = 'wört 1' AND "schlüssel" < 5 ORDER BY 1)), "1\n4", 'a text');
is(query(qq(SELECT "schlüssel" FROM $near WHERE l = 'müde')), 7, 'a label of an enum');
like(query(qq(EXPLAIN SELECT "schlüssel" FROM $near WHERE l = 'müde')), qr/Remote Filter:.*müde/, 'which goes over');
is(query(qq(SELECT count(*) FROM $near WHERE "täg" @> '{ä1}')), 10, 'an element of an array');
is(query(qq(SELECT count(*) FROM $near WHERE "köl" IS NULL AND NOT "schlüssel" IN (1, 2))), 0, 'other conditions');
is(query(qq(SELECT query_no, key FROM vector_fdw.search('$near', '{{3,1},{7,1}}', 1, '"größe" > 3'))), "1|4\n2|7",
	'vector_fdw.search()');
is(query(qq(SELECT recall FROM vector_fdw.recall('$near', 3, 5))), 1, 'vector_fdw.recall()');
is(query(q(SELECT * FROM vector_fdw.verify_collection('sömmlung'))), '0|0|0', 'vector_fdw.verify_collection()');
query("ANALYZE $near");
like(query(q(SELECT most_common_vals FROM pg_stats WHERE schemaname = 'suche' AND attname = 'köl')), qr/"wört 1"/, 'ANALYZE');
is(query(q(SELECT name, schema_name, state FROM vector_fdw.stat_collections)), 'sömmlung|bücher|ready', 'stat_collections');
query(qq(CREATE FOREIGN TABLE suche.names (id int OPTIONS (column_name 'schlüssel'), "vektör" real[] OPTIONS (column_name 'v'))
	SERVER vectord OPTIONS (collection 'sömmlung', schema_name 'bücher')));
is(query(q(SELECT id FROM suche.names ORDER BY "vektör" <-> '{3,1}' LIMIT 1)), 3, 'column_name');

# The name of the vector, which the daemon compares, and of columns that it does not have.
query(q(ALTER TABLE "bücher"."täble" RENAME COLUMN v TO "vektör"; SELECT vector_fdw.rebuild_collection('sömmlung')));
query(q(SELECT vector_fdw.wait_for_collection('sömmlung')));
query(q(CREATE FOREIGN TABLE suche.renamed ("schlüssel" int, "vektör" real[])
	SERVER vectord OPTIONS (collection 'sömmlung', schema_name 'bücher')));
is(query(q(SELECT "schlüssel" FROM suche.renamed ORDER BY "vektör" <-> '{3,1}' LIMIT 1)), 3, 'the vector column');
query(q(ALTER TABLE "bücher"."täble" ADD "später" int; ALTER FOREIGN TABLE suche.renamed ADD "später" int));
like(refusal(q(SELECT "später" FROM suche.renamed)), qr/HV005: .*"später"/, 'an error names the column');

# When vectord is away, the table answers by the same names.
$vectord->stop;
is(query(q(SET vector_fdw.on_unavailable = scan; SET client_min_messages = error;
	SELECT "schlüssel" FROM suche.renamed ORDER BY "vektör" <-> '{3,1}' LIMIT 1)), 3, 'the local scan');
like(refusal(q(SELECT vector_fdw.wait_for_collection('sömmlung', '0 s'))), qr/08001/, 'vectord is away');

done_testing();
