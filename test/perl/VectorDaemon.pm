
=pod

=head1 NAME

VectorDaemon - a PostgreSQL cluster and a vectord for one TAP test

=head1 SYNOPSIS

  use VectorDaemon;
  use Test::More;

  my $vectord = VectorDaemon->create('main', toml => qq([search]\nthreads = 2\n));
  my $node = $vectord->node;               # a PostgreSQL::Test::Cluster, running
  $node->safe_psql('app', 'SELECT ...');   # extension, server and user mapping are there

  $vectord->kill9;
  my ($status, $out, $err) = $node->psql('app', 'SELECT ...');
  like($err, qr/could not reach/);
  $vectord->start;                         # returns when it answers queries

=head1 DESCRIPTION

The same set-up as test/sandbox, in the hands of PostgreSQL::Test: database C<app> (and others that
are asked for) with the extension, the server C<vectord> and a user mapping; the role C<vectord>;
fsync off. What C<started> and C<stopped> mean is DaemonProcess.pm's, as in the sandbox.

PostgreSQL::Test::Cluster refuses to run as root: use C<test/run tap>, which becomes user postgres.
At the end of the test, whatever its outcome, the daemons that it started are killed, then the
clusters; nothing else is.

Environment: C<VECTORD> is the program (/usr/local/bin/vectord).

=head1 METHODS

=over

=item VectorDaemon->create($name, %options)

A new cluster and a new daemon, both running. Options: C<databases> (array of further databases),
C<pg_conf> and C<toml> (text appended to the configurations), C<start> (false: vectord is configured,
not started).

=item VectorDaemon->attach($node, %options)

Another daemon for an existing cluster, such as a replica. Options: C<name> (its C<[daemon] name>,
needed for all but the first), C<databases> (default: app), C<toml>, C<start>. It defines no server.

=item $vectord->node, ->endpoint, ->config, ->log, ->data, ->pid

The cluster; the endpoint; the paths of vectord.toml, of the log and of the data directory; the pid,
undef when it does not run.

=item $vectord->start, ->stop, ->kill9, ->restart

SIGTERM for stop, SIGKILL for kill9. Each waits until it is true, and dies with the end of the log if
it does not become true.

=item $vectord->pause, ->resume, ->reload

SIGSTOP, SIGCONT, SIGHUP.

=item $vectord->wait_ready

Until vectord answers the extension in database app, and no collection is being built.

=item $vectord->log_text, ->log_like($pattern, $name), ->wait_for_log($pattern)

The log so far; a test of it; waiting for a line in it.

=item $vectord->append_config($text), ->write_config($text)

Changes vectord.toml; takes effect at C<reload> or C<restart>.

=back

=cut

package VectorDaemon;

use strict;
use warnings;
use DaemonProcess;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $TIMEOUT_S = $PostgreSQL::Test::Utils::timeout_default || 180;
my @started;    # every daemon of this test, for END

sub create
{
	my ($class, $name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical', extra => [ '--locale=C.UTF-8', '-E', 'UTF8' ]);
	$node->append_conf('postgresql.conf', "max_replication_slots = 20\nmax_wal_senders = 20\n");
	$node->append_conf('postgresql.conf', $options{pg_conf}) if defined $options{pg_conf};
	$node->start;
	$node->safe_psql('postgres',
		'CREATE ROLE vectord LOGIN REPLICATION BYPASSRLS; GRANT pg_read_all_data TO vectord');
	my @databases = ('app', @{ $options{databases} || [] });
	for my $database (@databases)
	{
		$node->safe_psql('postgres', qq(CREATE DATABASE "$database"));
		$node->safe_psql($database, 'CREATE EXTENSION vector_fdw');
	}
	my $self = $class->attach($node, %options, databases => \@databases);
	for my $database (@databases)
	{
		my $endpoint = $self->endpoint;
		$node->safe_psql($database,
			"CREATE SERVER vectord FOREIGN DATA WRAPPER vector_fdw OPTIONS (endpoint '$endpoint');"
			  . 'CREATE USER MAPPING FOR CURRENT_USER SERVER vectord');
	}
	$self->wait_ready if $self->pid;
	return $self;
}

sub attach
{
	my ($class, $node, %options) = @_;
	my $name = $options{name} || 'vectord';
	my $directory = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless {
		node => $node,
		name => $name,
		directory => $directory,
		log => "$PostgreSQL::Test::Utils::log_path/" . $node->name . "_$name.log",
	}, $class;
	mkdir $self->data or die "could not create \"" . $self->data . "\": $!";
	$self->write_config($self->initial_config($options{databases} || ['app'], $options{toml}));
	push @started, $self;
	$self->launch unless exists $options{start} && !$options{start};
	return $self;
}

sub initial_config
{
	my ($self, $databases, $more) = @_;
	my ($host, $port) = ($self->node->host, $self->node->port);
	my $http_port = PostgreSQL::Test::Cluster::get_free_port();
	my $text = "[daemon]\nname = \"$self->{name}\"\n" unless defined $more && $more =~ /^\[daemon\]/m;
	$text .= "[listen]\nendpoints = [\"" . $self->endpoint . "\"]\n"
	  unless defined $more && $more =~ /^\[listen\]/m;
	$text .= "[data]\ndirectory = \"" . $self->data . "\"\n";
	$text .= "[http]\naddress = \"127.0.0.1:$http_port\"\n" unless defined $more && $more =~ /^\[http\]/m;
	my $slot = $self->{name};
	my $count = 1;
	for my $database (@$databases)
	{
		$text .= "[[source]]\n"
		  . "dsn = \"host=$host port=$port dbname=$database user=vectord application_name=$self->{name}\"\n"
		  . "slot = \"$slot\"\n";
		$slot = "$self->{name}_" . ++$count;
	}
	return $text . ($more // '');
}

sub node { return $_[0]{node}; }
sub config { return "$_[0]{directory}/vectord.toml"; }
sub data { return "$_[0]{directory}/data"; }
sub log { return $_[0]{log}; }
sub endpoint { return "ipc://$_[0]{directory}/vectord.sock"; }
sub pidfile { return "$_[0]{directory}/vectord.pid"; }
sub pid { return DaemonProcess::running_pid($_[0]->pidfile, $_[0]->config); }

# Until the process says READY.
sub launch
{
	my ($self) = @_;
	my $program = $ENV{VECTORD} || '/usr/local/bin/vectord';
	my (undef, $failure) = DaemonProcess::start($self->pidfile, $self->log, $TIMEOUT_S,
		$program, '--config', $self->config);
	$self->fail_with_log($failure) if defined $failure;
}

sub start
{
	my ($self) = @_;
	$self->launch unless $self->pid;
	$self->wait_ready;
}

sub stop { $_[0]->end_by('TERM'); }
sub kill9 { $_[0]->end_by('KILL'); }

sub end_by
{
	my ($self, $signal) = @_;
	my $failure = DaemonProcess::signal_and_wait($signal, $self->pidfile, $self->config, $TIMEOUT_S);
	$self->fail_with_log($failure) if defined $failure;
}

sub restart
{
	my ($self) = @_;
	$self->stop;
	$self->start;
}

sub pause { $_[0]->send_signal('STOP'); }
sub resume { $_[0]->send_signal('CONT'); }
sub reload { $_[0]->send_signal('HUP'); }

sub send_signal
{
	my ($self, $signal) = @_;
	my $pid = $self->pid or die "vectord does not run";
	kill($signal, $pid) or die "could not send SIG$signal to vectord (pid $pid): $!";
}

sub wait_ready
{
	my ($self) = @_;
	my $endpoint = $self->endpoint;
	$self->node->poll_query_until('app', <<"SQL") or $self->fail_with_log('vectord does not answer queries');
SELECT EXISTS (SELECT FROM vector_fdw.stat_daemon WHERE endpoint = '$endpoint' AND pid IS NOT NULL)
   AND NOT EXISTS (SELECT FROM vector_fdw.stat_collections
                    WHERE state IN ('copying', 'catching_up', 'building', 'unreachable'))
SQL
}

sub write_config
{
	my ($self, $text) = @_;
	my $path = $self->config;
	open(my $out, '>', "$path.new") or die "could not write \"$path.new\": $!";
	print $out $text;
	close $out;
	rename("$path.new", $path) or die "could not rename to \"$path\": $!";
}

sub append_config
{
	my ($self, $text) = @_;
	$self->write_config(slurp_file($self->config) . "\n$text");
}

sub log_text { return -e $_[0]->log ? slurp_file($_[0]->log) : ''; }

sub log_like
{
	my ($self, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like($self->log_text, $pattern, $name);
}

sub wait_for_log
{
	my ($self, $pattern) = @_;
	for (my $left_us = $TIMEOUT_S * 1_000_000; $left_us > 0; $left_us -= 50_000)
	{
		return 1 if $self->log_text =~ $pattern;
		usleep(50_000);
	}
	$self->fail_with_log("the log never matched $pattern");
}

sub fail_with_log
{
	my ($self, $sentence) = @_;
	my @lines = split /\n/, $self->log_text;
	@lines = @lines[ -30 .. -1 ] if @lines > 30;
	diag(join("\n", "the last lines of " . $self->log . ':', @lines));
	die "$sentence\n";
}

# Before PostgreSQL::Test::Cluster's own END stops the clusters, because this one was compiled later.
END
{
	my $status = $?;
	DaemonProcess::signal_and_wait('KILL', $_->pidfile, $_->config, 30) for grep { $_->pid } @started;
	$? = $status;
}

1;
