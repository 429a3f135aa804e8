# RandomQuery.pm - random tables and random queries over them.
#
# A column has a type, the values that its rows are drawn from, and the values that conditions compare it with:
# the same ones and neighbours that no row has, also of other types. Few values make many rows equal. Whatever is
# drawn comes from Perl's rand, so a seed tells the whole run.
#
# A query is a text in which the table is called %T and its distance %D. Not here: running it (differential).
package RandomQuery;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT_OK = qw(columns pick chance random_vector random_row random_query);

sub pick { return $_[ int rand @_ ]; }
sub chance { return rand() < $_[0]; }
sub list { return map { "'$_'" } @_; }

# name, type, values of rows, more values of conditions, as "literal" or "literal::type"
my @columns = (
	[ 'b', 'boolean', [qw(true false)], [] ],
	[ 'i2', 'smallint', [ -3 .. 3, 32767, -32768 ], [ '4', '32768::int', '-40000::int', '3000000000::bigint' ] ],
	[ 'i4', 'integer', [ -5 .. 12, 2147483647 ],
		[ '13', '2::smallint', '7::bigint', '3000000000::bigint', '-3000000000::bigint' ] ],
	[ 'i8', 'bigint', [ -3 .. 9, 9223372036854775807, '(-9223372036854775808)' ], [ '5::smallint', '100' ] ],
	[ 'f4', 'real', [ list(qw(0 -0 1.5 0.1 -2 NaN Infinity -Infinity 3e38)) ],
		[ '0.1::float8', '0.5::real', '1e300::float8', '1.5::float8', "'NaN'::float8", '-1e300::float8' ] ],
	[ 'f8', 'double precision', [ list(qw(0 -0 1.5 0.1 -2 NaN Infinity -Infinity 1e300)) ],
		[ '0.1::real', '0.5', '1.5::real' ] ],
	[ 'n', 'numeric', [ list(qw(0 0.00 1.5 1.500 -2 1000000 0.0001 NaN Infinity -Infinity 12345678901234567890.123)) ],
		[ '1', '0.00010', '1e6', '-2.000', '12345678901234567890.12' ] ],
	[ 'tx', 'text', [ list('', qw(a ab abc b B ä 漢字 a%b a_c), 'x\\y') ], [ list('abcd', 'z', ' ') ] ],
	[ 'tc', 'text COLLATE "C"', [ list('', qw(a ab abc b B ä 漢字)) ], [ list('abcd', 'Z', 'aa') ] ],
	[ 'vc', 'varchar(10)', [ list('', qw(a ab b ä)) ], [ list('abcd', 'z') ] ],
	[ 'bp', 'char(5)', [ list('', qw(a ab b), 'a b') ], [ list('ab  ', 'z') ] ],
	[ 'd', 'date', [ list(qw(2020-01-01 2020-01-02 2024-02-29 1999-12-31 infinity -infinity)) ],
		[ list('2020-01-03'), "'2020-01-02 12:00'::timestamp", "'2020-01-02'::timestamp", "'infinity'::timestamp" ] ],
	[ 'ts', 'timestamp', [ list('2020-01-01', '2020-01-01 12:00', '2024-02-29 23:59:59.999999', '-infinity', 'infinity') ],
		[ "'2020-01-01'::date", "'2024-02-29'::date", "'5000000-01-01'::date", "'infinity'::date", "'2020-01-01 12:00:00.000001'" ] ],
	[ 'tz', 'timestamptz', [ list('2020-01-01 00:00+00', '2020-01-01 12:00+02', '2020-03-08 02:30-05', 'infinity') ],
		[ "'2020-01-01'::date", "'2020-01-01 12:00'::timestamp", 'now()', "'-infinity'::timestamp" ] ],
	[ 'tm', 'time', [ list(qw(00:00 12:00 23:59:59.5 24:00)) ], [ "'12:00:00.000001'" ] ],
	[ 'iv', 'interval', [ list('1 day', '24 hours', '1 mon', '30 days', '-1 day', '0') ], [ list('25 hours', '1 year') ] ],
	[ 'by', 'bytea', [ list('', '\\x00', '\\x0001', '\\xff') ], ["'\\x01'"] ],
	[ 'u', 'uuid', [ map { "'0000000$_-0000-0000-0000-00000000000$_'" } 0 .. 6, 'a', 'f' ],
		["'ffffffff-0000-0000-0000-000000000000'"] ],
	[ 'e', 'mood', [ list(qw(sad ok happy)) ], [] ],
	[ 'j', 'jsonb', [ list('{}', '{"a": 1}', '{"a": "1"}', '{"a": 1.0, "b": null}', '{"b": {"c": [1, 2]}}', '[1, "a", null]', '"a"', '7',
			'{"a": true}', '{"k": "v", "a": [1, [2]]}', 'null', '{"a": 12345678901234567890.5}') ], [] ],
	[ 'ia', 'integer[]', [ list('{}', '{1}', '{1,2}', '{2,3,NULL}', '{NULL}', '{{1,2},{3,4}}', '{7,7}', '[5:6]={1,9}') ], [] ],
	[ 'ta', 'text[]', [ list('{}', '{a}', '{a,b}', '{ä,NULL}', '{NULL}', '{"",ab}') ], [] ],
);
sub columns { return @columns; }

# Some columns of a table of which this run knows nothing may be NULL seldom, some often.
my %null_share = map { $_->[0] => 0.1 } @columns;
$null_share{$_} = 0.5 for qw(i8 ta n);

sub random_vector
{
	my ($dimensions) = @_;
	return "'{" . join(',', map { chance(0.8) ? int(rand 7) - 3 : sprintf('%.3g', rand(6) - 3) } 1 .. $dimensions) . "}'";
}

sub random_row
{
	my ($dimensions) = @_;
	my @values = map { chance($null_share{ $_->[0] }) ? 'NULL' : pick(@{ $_->[2] }) } @columns;
	my $vector = chance(0.05) ? 'NULL' : chance(0.03) ? "'{" . join(',', (0) x $dimensions) . "}'" : random_vector($dimensions);
	return join(', ', @values, $vector);
}

# ---- conditions -------------------------------------------------------------------------------------

# A value with its type: a literal, or now and then a parameter of the query.
sub operand
{
	my ($query, $literal, $type) = @_;
	$type =~ s/ COLLATE.*//;
	$type =~ s/\(\d+\)//;
	if ($literal !~ /^ARRAY/ && $literal =~ /^(.*)::([a-z0-9]+)$/s) { ($literal, $type) = ($1, $2); }
	return $literal if $literal eq 'now()';
	$literal = "'$literal'" if $literal =~ /^[-\d]/;    # -1::smallint is -(1::smallint)
	return "$literal\::$type" if !$query->{parameters} || !chance(0.5);
	push @{ $query->{types} }, $type;
	push @{ $query->{values} }, $literal;
	return '$' . @{ $query->{types} };
}

sub value_for
{
	my ($column) = @_;
	return 'NULL' if chance(0.05);
	return pick(@{ $column->[2] }, @{ $column->[3] });
}

sub array_for
{
	my ($column, $count) = @_;
	my @values = grep { !/::|now/ } map { value_for($column) } 1 .. $count;
	my ($type) = $column->[1] =~ /^([a-z ]+)/;
	$type =~ s/ $//;
	$type = 'bpchar' if $type eq 'char';
	return [ 'ARRAY[' . join(', ', map { /^-/ ? "($_)" : $_ } @values) . "]\::$type\[]", $type . '[]' ];
}

sub comparison
{
	my ($query, $column) = @_;
	my ($name, $type) = @$column;
	my $value = operand($query, value_for($column), $type);
	my $operator = pick('=', '=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM');
	return chance(0.2) && $operator !~ /IS/ ? "$value $operator $name" : "$name $operator $value";
}

sub list_condition
{
	my ($query, $column) = @_;
	my ($name, $type) = @$column;
	my ($array, $array_type) = @{ array_for($column, int rand 4) };
	my $any = operand($query, chance(0.05) ? 'NULL' : $array, $array_type);
	# The elements of IN get one type, which this date would not fit.
	my @in = map { operand($query, $_, $type) } grep { !/5000000/ } map { value_for($column) } 1 .. 1 + int rand 4;
	push @in, 'NULL' if !@in;
	return pick("$name = ANY ($any)", "$name <> ALL ($any)", "$name IN (" . join(', ', @in) . ')',
		"$name NOT IN (" . join(', ', @in) . ')', "$name BETWEEN $in[0] AND " . operand($query, value_for($column), $type));
}

sub text_condition
{
	my ($query) = @_;
	my $name = pick(qw(tx tc vc bp));
	my $pattern = pick(list('a%', 'ab%', '%', 'ä%', 'a\\%%', 'x\\\\%', 'abc', '', '%b', 'a_', 'a%b%', 'NULL'));
	my $not = chance(0.3) ? 'NOT ' : '';
	return chance(0.3) ? "$name ^@ " . operand($query, pick(list('a', '', 'ab', '漢')), 'text') : "$name ${not}LIKE $pattern";
}

sub array_condition
{
	my ($query) = @_;
	my $column = pick(grep { $_->[1] =~ /\[\]$/ } @columns);
	my ($name, $type) = @$column;
	my $array = operand($query, pick(@{ $column->[2] }), $type);
	my ($element_type) = $type =~ /^(\w+)/;
	my $element = operand($query, $element_type eq 'integer' ? pick(1 .. 4, 7, 9, 'NULL') : pick(list(qw(a b ä ab)), 'NULL'), $element_type);
	return pick("$name && $array", "$name @> $array", "$array <@ $name", "$element = ANY ($name)", "$element <> ALL ($name)",
		"$name <@ $array", "$name = $array", "$element <> ANY ($name)");
}

sub json_condition
{
	my ($query) = @_;
	my $column = (grep { $_->[0] eq 'j' } @columns)[0];
	my $inner = operand($query, pick(@{ $column->[2] }, list('{"a": 1.00}', '{"b": {}}', '[[2]]', '1', '{"a": [1]}')), 'jsonb');
	my $key = operand($query, pick(list(qw(a b k c 1))), 'text');
	my $text = operand($query, pick(list(qw(1 v true 1.0), '{"c": [1, 2]}')), 'text');
	return pick("j @> $inner", "j ? $key", "j ->> $key = $text", "j ->> $key <> $text", "$text = (j ->> $key)", "j <@ $inner");
}

# What the daemon cannot answer, in whole or in part.
sub local_condition
{
	return pick('i4 % 3 = 1', 'length(tx) > 1', 'i4 = i2', 'coalesce(b, true)', 'upper(tc) = \'A\'', 'i4 / 2 < 5', 'f4 < f8',
		'i4 > 1.5', 'e < \'happy\'', 'bp < \'b\'', 'tx < \'b\'', 'extract(year FROM d) = 2020', 'CASE WHEN b THEN i4 > 3 ELSE NULL END');
}

sub leaf
{
	my ($query) = @_;
	my $kind = rand;
	return local_condition() if $kind < 0.06;
	return text_condition($query) if $kind < 0.14;
	return array_condition($query) if $kind < 0.22;
	return json_condition($query) if $kind < 0.28;
	return pick('b', 'NOT b', 'b IS TRUE', 'b IS NOT TRUE', 'b IS FALSE', 'b IS UNKNOWN', 'b IS NOT UNKNOWN') if $kind < 0.34;
	return pick('true', 'false', 'NULL::boolean', operand($query, pick(qw(true false NULL)), 'boolean')) if $kind < 0.38;
	my $column = pick(grep { $_->[1] !~ /jsonb|\[\]/ } @columns);
	return "$column->[0] IS " . pick('NULL', 'NOT NULL') if $kind < 0.46;
	return list_condition($query, $column) if $kind < 0.62;
	return comparison($query, $column);
}

sub condition
{
	my ($query, $depth) = @_;
	return leaf($query) if $depth == 0 || chance(0.25);
	my $kind = rand;
	return 'NOT (' . condition($query, $depth - 1) . ')' if $kind < 0.15;
	return '(' . condition($query, $depth - 1) . ') IS ' . pick('TRUE', 'NOT TRUE', 'FALSE', 'NOT FALSE', 'UNKNOWN', 'NOT UNKNOWN', 'NULL')
	  if $kind < 0.25;
	my $join = $kind < 0.6 ? ' AND ' : ' OR ';
	return join($join, map { '(' . condition($query, $depth - 1) . ')' } 1 .. 2 + int rand 2);
}

sub range_condition
{
	my ($query) = @_;
	my $farthest = operand($query, pick(0, 1, 2.5, 4, 7, -3, 0.3, 1e9, "'NaN'", 'NULL'), chance(0.8) ? 'float8' : 'real');
	return pick("%D < $farthest", "%D <= $farthest", "$farthest > %D", "$farthest >= %D", "%D > $farthest", "%D BETWEEN 1 AND $farthest",
		'%D IS NOT NULL', 'v IS NOT NULL', 'v IS NULL');
}

sub where
{
	my ($query, $ranges) = @_;
	my @clauses = map { '(' . condition($query, int rand 5) . ')' } 1 .. pick(0, 1, 1, 1, 2);
	push @clauses, range_condition($query) if chance($ranges);
	return @clauses ? 'WHERE ' . join(' AND ', @clauses) : '';
}

# ---- queries ----------------------------------------------------------------------------------------

sub limit
{
	my ($query) = @_;
	my $limit = chance(0.8) ? ' LIMIT ' . operand($query, pick(0, 1, 2, 5, 10, 10, 10, 50, 'NULL'), 'bigint') : '';
	return $limit . (chance(0.2) ? ' OFFSET ' . operand($query, pick(0, 1, 7, 100), 'bigint') : '');
}

my @output = ('*', 'id', 'id, %D', 'id, %D, i4, tx', 'id, e, n, bp, f4', 'id, ia, j, ta, tz');

# By distance, with the id among equal ones.
sub nearest
{
	my ($query) = @_;
	my $where = where($query, 0.3);
	my $tie = pick('id', 'id', 'id DESC', 'i4, id', 'tx COLLATE "C" DESC, id');
	my $direction = chance(0.05) ? ' DESC' : '';
	return 'SELECT ' . pick(@output) . " FROM %T $where ORDER BY %D$direction, $tie" . limit($query);
}

# By distance alone: which of equal rows come is open, how far they are is not.
sub distances
{
	my ($query) = @_;
	return 'SELECT %D FROM %T ' . where($query, 0.2) . ' ORDER BY %D' . limit($query);
}

sub in_no_order
{
	my ($query) = @_;
	return 'SELECT ' . pick(@output) . ' FROM %T ' . where($query, 0.3) . ' ORDER BY id';
}

sub counted
{
	my ($query) = @_;
	my $what = pick('count(*)', 'count(*)', 'count(1)', 'count(i8)', 'count(*), sum(i4)', 'bool_or(b), count(*)', 'min(%D)');
	return "SELECT $what FROM %T " . where($query, 0.3);
}

sub grouped
{
	my ($query) = @_;
	return 'SELECT i4, count(*) FROM %T ' . where($query, 0.2) . ' GROUP BY i4 ORDER BY i4';
}

sub joined
{
	my ($query) = @_;
	my $on = pick('%T.id = o.number', '%T.i4 = o.number', '%T.i8 = o.number', '%T.tx = o.word', '%T.i2 = o.number AND %T.tc = o.word', '%T.id = ANY (o.numbers)', '%T.i4 < o.number', '%T.v <-> o.v < o.number / 2.0', 'o.number >= o.v <-> %T.v AND %T.i2 = 1', '%T.v <=> o.v < 0.1');
	my $kind = pick('JOIN', 'JOIN', 'LEFT JOIN');
	my $from = $kind eq 'JOIN' ? "FROM %T JOIN others o ON $on" : "FROM others o LEFT JOIN %T ON $on";
	return "SELECT %T.id, o.k, %T.i4, %D $from " . where($query, 0.1) . ' ORDER BY %D, %T.id, o.k' . limit($query);
}

sub semijoined
{
	my ($query) = @_;
	my $where = where($query, 0.1) || 'WHERE true';
	my $semi = pick('id IN (SELECT number FROM others)', 'EXISTS (SELECT FROM others WHERE others.number = %T.i4)', 'i4 NOT IN (SELECT number FROM others WHERE number IS NOT NULL)',
		'NOT EXISTS (SELECT FROM others WHERE others.word = %T.tx)', 'id = (SELECT max(number) FROM others)', 'i4 = ANY (ARRAY(SELECT number FROM others))');
	return "SELECT id, %D FROM %T $where AND $semi ORDER BY %D, id" . limit($query);
}

sub lateral
{
	my ($query) = @_;
	my $where = where($query, 0) || 'WHERE true';
	my $on = pick('true', 'i4 = o.number', 'i4 < o.number', 'tx = o.word', 'tc >= o.word COLLATE "C"', 'id = ANY (o.numbers)', 'v <-> o.v < o.number', '(o.number IS NULL OR i2 = o.number)');
	my $k = 1 + int rand 5;
	return "SELECT o.k, near.* FROM others o CROSS JOIN LATERAL (SELECT id, v <-> o.v AS d FROM %T $where AND $on ORDER BY v <-> o.v, id LIMIT $k) near ORDER BY k, d, id";
}

my @forms = ((\&nearest) x 8, (\&distances) x 2, (\&in_no_order) x 2, (\&counted) x 2, \&grouped, (\&joined) x 2, \&semijoined, (\&lateral) x 2);

# { sql, types, values }: the values are as many sets of parameters as the query is to be run with.
sub random_query
{
	my ($form) = @_;
	my %query = (parameters => chance(0.4), types => [], values => []);
	$query{sql} = ($form // pick(@forms))->(\%query);
	return \%query;
}

# For an approximate index: rows of a filter by distance, without a tie-breaker.
sub approximate_query
{
	my %query = (parameters => 0, types => [], values => []);
	$query{where} = where(\%query, 0.2);
	$query{limit} = pick(1, 5, 10, 10, 50, 300);
	$query{offset} = pick(0, 0, 0, 3, 40);
	return \%query;
}

1;
