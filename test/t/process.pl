# process.pl - a process that is said to have ended has: with its threads, descriptors and locks.
#
# One that exits loses its command line first, then gives back its memory; a gigabyte takes long enough to see it.
use strict;
use warnings;
use DaemonProcess;
use PostgreSQL::Test::Utils;
use Test::More;

my $directory = PostgreSQL::Test::Utils::tempdir_short();
my ($pidfile, $word) = ("$directory/pid", "$directory/word");
my $holds_memory = <<'PERL';
	use IO::Socket::UNIX;
	syscall(157, 41, 1, 0, 0, 0);    # prctl(PR_SET_THP_DISABLE): small pages are given back slowly
	my $memory = 'x' x (1 << 30);
	IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET})->send('READY=1');
	sleep 600;
PERL

# Not a child of this process, as under the sandbox.
sub start_apart
{
	system($^X, $INC{'DaemonProcess.pm'}, 'start', $pidfile, "$directory/log", 180, $^X, '-e', $holds_memory, $word) == 0
	  or die "could not start a process";
	return DaemonProcess::read_pid($pidfile);
}

# Those of the process that are neither zombies nor dead.
sub threads
{
	my ($pid) = @_;
	my @stats = map { DaemonProcess::read_proc("$pid/task/$_/stat") // '' } map { m{/(\d+)$} } glob "/proc/$pid/task/*";
	return grep { /.*\) [^ZX]/s } @stats;
}

for my $signal ('KILL', 'TERM')
{
	my $pid = start_apart();
	is(DaemonProcess::running_pid($pidfile, $word), $pid, 'it runs');
	is(DaemonProcess::signal_and_wait($signal, $pidfile, $word, 180), undef, "SIG$signal ends it");
	is(join(' ', threads($pid)), '', 'and nothing of it is left');
	ok(!-e $pidfile, 'nor the file with its pid');
}

# Killed by somebody else: the next start waits, too.
my $killed = start_apart();
kill 'KILL', $killed;
my $next = start_apart();
is(join(' ', threads($killed)), '', 'nothing is left of a killed one when the next runs');
is(DaemonProcess::signal_and_wait('KILL', $pidfile, $word, 180), undef, 'which ends as well');

# The pid of another process is left alone.
open(my $out, '>', $pidfile) or die "could not write \"$pidfile\": $!";
print $out "$$\n";
close $out;
is(DaemonProcess::signal_and_wait('KILL', $pidfile, $word, 180), undef, 'a pid that is now of another process');

done_testing();
