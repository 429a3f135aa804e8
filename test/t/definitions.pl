# definitions.pl - definitions of collections across what one session cannot show: wal_level, dump and
# restore, sessions that define at the same time. No vectord: DDL never talks to it.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('definitions');
$node->init(extra => ['--locale=C.UTF-8']);
$node->append_conf('postgresql.conf', "fsync = off\nwal_level = replica\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('app', q(
	CREATE EXTENSION vector_fdw;
	ALTER DATABASE app SET vector_fdw.daemon_role = '';
	CREATE SCHEMA "Shop";
	CREATE TABLE "Shop"."Docs" (id bigint PRIMARY KEY, title text, embedding real[]);
	CREATE TABLE plain (id int PRIMARY KEY, embedding real[]);));

my $create = q(SELECT vector_fdw.create_collection('docs', '"Shop"."Docs"', 'embedding',
	metric => 'cosine', include => '{title}', options => '{"m":24}'));

# Without logical decoding nothing could be followed.
my ($status, $out, $err) = $node->psql('app', $create);
isnt($status, 0, 'a collection is refused while wal_level is replica');
like($err, qr/needs "wal_level" to be "logical"/, 'the error names the setting');
like($err, qr/HINT:.*ALTER SYSTEM SET wal_level = 'logical'/, 'the hint says what to do');
is($node->safe_psql('app', 'SELECT count(*) FROM vector_fdw.collection'), 0, 'nothing was written');

$node->append_conf('postgresql.conf', 'wal_level = logical');
$node->restart;
$node->safe_psql('app', $create);
my $columns = 'name, source, vector_column, metric, index, key_columns, include, options, loaded, definition_id';
my $definition = $node->safe_psql('app', "SELECT $columns FROM vector_fdw.collection");
like($definition, qr/^docs\|"Shop"\."Docs"\|embedding\|cosine\|hnsw\|\{id\}\|\{title\}\|\{"m": 24\}\|t\|/,
	'it is accepted when wal_level is logical');

# A dump brings the definition along, whatever its format, and a second restore replaces it.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/app';
foreach my $format ('plain', 'custom')
{
	$node->command_ok([ 'pg_dump', '--format', $format, '--file', "$dump.$format", 'app' ],
		"pg_dump in $format format");
	$node->safe_psql('postgres', "CREATE DATABASE $format");
	if ($format eq 'plain')
	{
		$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $format, '-f', "$dump.$format" ],
			'psql restores it');
	}
	else
	{
		$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $format, "$dump.$format" ], 'pg_restore restores it');
		$node->command_ok([ 'pg_restore', '--exit-on-error', '--clean', '--if-exists', '-d', $format, "$dump.$format" ],
			'and restores it again over itself');
	}
	is($node->safe_psql($format, "SELECT $columns FROM vector_fdw.collection"), $definition,
		"the definition is the same after a restore in $format format");
	$node->safe_psql($format, q(SELECT vector_fdw.alter_collection('docs', metric => 'l2')));
	is($node->safe_psql('app', 'SELECT metric FROM vector_fdw.collection'), 'cosine',
		'and independent of the one that was dumped');
}

# Two sessions take the same name: the later one waits, then hears that it is taken.
my $first = $node->background_psql('app');
$first->query_safe(q(BEGIN; SELECT vector_fdw.create_collection('same', 'plain', 'embedding')));
my $second = $node->background_psql('app', on_error_stop => 0);
$second->query_until(qr/started/, q(
	\echo started
	SELECT vector_fdw.create_collection('same', 'plain', 'embedding', metric => 'ip');
	\echo error :SQLSTATE
));
ok($node->poll_query_until('app', q(SELECT count(*) = 1 FROM pg_stat_activity
	WHERE datname = 'app' AND wait_event_type = 'Lock' AND query LIKE '%create_collection%')),
	'the second session waits for the first');
$first->query_safe('COMMIT');
like($second->query('\echo done'), qr/error 42710/, 'then it is refused');
is($node->safe_psql('app', q(SELECT metric FROM vector_fdw.collection WHERE name = 'same')), 'l2',
	'the definition of the first stays');
$second->quit;

# A transaction that ends in ROLLBACK leaves nothing, and DROP TABLE waits for one that is open.
$first->query_safe(q(BEGIN; SELECT vector_fdw.create_collection('never', 'plain', 'embedding')));
($status, $out, $err) = $node->psql('app', q(SET lock_timeout = '10ms'; DROP TABLE plain));
like($err, qr/lock timeout/, 'a source cannot be dropped while a collection over it is being defined');
$first->query_safe('ROLLBACK');
$first->quit;
is($node->safe_psql('app', q(SELECT count(*) FROM vector_fdw.collection WHERE name = 'never')), 0,
	'a definition that was rolled back is not there');
$node->safe_psql('app', 'DROP TABLE plain');
is($node->safe_psql('app', q(SELECT string_agg(name, ' ') FROM vector_fdw.collection)), 'docs',
	'a dropped source takes its collections along');

$node->safe_psql('app', 'DROP EXTENSION vector_fdw CASCADE');
is($node->safe_psql('app', q(SELECT count(*) FROM pg_namespace WHERE nspname = 'vector_fdw')), 0,
	'dropping the extension leaves nothing');
$node->safe_psql('app', 'CREATE EXTENSION vector_fdw');

$node->stop;
done_testing();
