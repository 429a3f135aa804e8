# replaced.pl - a vectord that does not hear of what became of a definition gives no rows of the table before.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use VectorDaemon;

my $vectord = VectorDaemon->create('replaced');
my $node = $vectord->node;
$node->safe_psql('app', q(
	CREATE TABLE sec (id int PRIMARY KEY, secret text, v real[]);
	INSERT INTO sec VALUES (1, 'TOPSECRET', '{1,2}');
	CREATE TABLE pub (id int PRIMARY KEY, secret text, v real[]);
	INSERT INTO pub VALUES (1, 'public', '{1,2}');
	CREATE FOREIGN TABLE near (id int, secret text, v real[]) SERVER vectord OPTIONS (collection 'shared');
	SELECT vector_fdw.create_collection('shared', 'sec', 'v', index => 'flat', include => '{secret}')));
$node->safe_psql('app', q(SELECT vector_fdw.wait_for_collection('shared')));
my $search = q(SELECT secret FROM near ORDER BY v <-> '{1,2}' LIMIT 1);
is($node->safe_psql('app', $search), 'TOPSECRET', 'the collection answers');

# A search that shall fail; returns the error, with its SQLSTATE.
sub refusal
{
	my (undef, $out, $err) = $node->psql('app', "\\set VERBOSITY verbose\n$search");
	is($out, '', 'no row comes back');
	return $err;
}

# vectord keeps what it holds while it cannot log in, for as long as that lasts.
$node->safe_psql('app', q(ALTER ROLE vectord NOLOGIN;
	SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = 'vectord'));
is($node->safe_psql('app', $search), 'TOPSECRET', 'it answers without a connection, too');
$node->safe_psql('app', q(SELECT vector_fdw.drop_collection('shared')));
like(refusal(), qr/HV00R: +collection "shared" of schema "public" does not exist/, 'dropped: it does not exist');
$node->safe_psql('app', q(SELECT vector_fdw.create_collection('shared', 'pub', 'v', index => 'flat', include => '{secret}')));
like(refusal(), qr/57P03: +collection "shared" is not ready yet/, 'another table: it is not ready');
$node->safe_psql('app', q(DROP TABLE pub));
like(refusal(), qr/HV00R: +collection "shared" of schema "public" does not exist/, 'the table dropped: it does not exist');
$node->safe_psql('app', q(
	CREATE TABLE pub (id int PRIMARY KEY, secret text, v real[]);
	INSERT INTO pub VALUES (1, 'public', '{1,2}');
	SELECT vector_fdw.create_collection('shared', 'pub', 'v', index => 'flat', include => '{secret}')));
like(refusal(), qr/57P03: +collection "shared" is not ready yet/, 'a table of its name: it is not ready');

$node->safe_psql('app', 'ALTER ROLE vectord LOGIN');
$node->safe_psql('app', q(SELECT vector_fdw.wait_for_collection('shared')));
is($node->safe_psql('app', $search), 'public', 'what is built in the end is of the new table');

# The same with the files that it left behind.
$vectord->stop;
$node->safe_psql('app', q(DROP TABLE pub;
	CREATE TABLE pub (id int PRIMARY KEY, secret text, v real[]);
	INSERT INTO pub VALUES (1, 'restored', '{1,2}');
	SELECT vector_fdw.create_collection('shared', 'pub', 'v', index => 'flat', include => '{secret}')));
$vectord->start;
$node->safe_psql('app', q(SELECT vector_fdw.wait_for_collection('shared')));
is($node->safe_psql('app', $search), 'restored', 'a restart serves nothing of the table before');

done_testing();
