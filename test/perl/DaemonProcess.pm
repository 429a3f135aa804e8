# DaemonProcess.pm - starts, finds and stops one vectord process, and nothing else.
#
# Used in two ways, so that a sandbox and a TAP test cannot differ in what "started" means:
#   as a module by VectorDaemon.pm,
#   as a program by test/sandbox:  perl DaemonProcess.pm VERB ARGUMENT...
#       start  PIDFILE LOGFILE TIMEOUT_S COMMAND...  returns when the daemon says READY=1
#       alive  PIDFILE WORD                          exit status 0 if so
#       stop   PIDFILE WORD TIMEOUT_S                SIGTERM, returns when it has ended
#       kill   PIDFILE WORD TIMEOUT_S                SIGKILL, returns when it has ended
#
# A pid alone proves nothing, since pids are reused: a process counts as ours only while its command
# line also holds WORD (the path of its configuration). Nor does the lack of a command line prove its end:
# an exiting process loses that with its memory, some time before its descriptors, locks and threads go.
#
# Needs only perl-base, and no file but this one: the sandbox hands it to a user who may not be able
# to read the checkout.
package DaemonProcess;

use strict;
use warnings;
use Errno qw(EINTR);
use Fcntl qw(O_WRONLY O_CREAT O_APPEND O_RDWR);
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);

my $POLL_S = 0.02;

# The pid in the file, or undef.
sub read_pid
{
	my ($pidfile) = @_;
	open(my $in, '<', $pidfile) or return undef;
	my $pid = <$in>;
	close $in;
	return defined $pid && $pid =~ /^(\d+)\s*$/ ? $1 : undef;
}

# The text of a file in /proc, or undef once its process is gone.
sub read_proc
{
	my ($path) = @_;
	open(my $in, '<', "/proc/$path") or return undef;
	local $/;
	return scalar <$in>;
}

# The pid of the running daemon, or undef: it does not run while it exits.
sub running_pid
{
	my ($pidfile, $word) = @_;
	my $pid = read_pid($pidfile) or return undef;
	my $command = read_proc("$pid/cmdline");
	return defined $command && index($command, $word) >= 0 ? $pid : undef;
}

# Whether the process is gone, or all that is left of it is a zombie that nobody has waited for.
sub has_ended
{
	my ($pid) = @_;
	opendir(my $dir, "/proc/$pid/task") or return 1;
	my @threads = grep { /^\d+$/ } readdir $dir;
	closedir $dir;
	for my $thread (@threads)
	{
		my $state = read_proc("$pid/task/$thread/stat");
		return 0 if defined $state && $state !~ /.*\) [ZX]/s;
	}
	return 1;
}

# Whether the process in the file still exits. Threads of the kernel, children of process 2, have no
# command line either.
sub is_exiting
{
	my ($pidfile) = @_;
	my $pid = read_pid($pidfile) or return 0;
	my ($command, $state) = (read_proc("$pid/cmdline"), read_proc("$pid/stat"));
	return 0 if defined $command && $command ne '';
	return defined $state && $state !~ /.*\) \S 2 /s && !has_ended($pid);
}

# Starts the command, detached, and returns (pid, undef) once it has sent READY=1 to $NOTIFY_SOCKET
# (sd_notify(3)), or (undef, sentence).
sub start
{
	my ($pidfile, $logfile, $timeout_s, @command) = @_;
	wait_exit($pidfile, $timeout_s) if is_exiting($pidfile);    # it holds its locks until it has ended
	my $notify_path = "$pidfile.notify";
	unlink $notify_path;
	my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $notify_path)
	  or return (undef, "Could not listen on \"$notify_path\": $!.");
	my $pid = fork() // return (undef, "Could not fork: $!.");
	exec_detached($logfile, $notify_path, @command) if $pid == 0;
	write_pid($pidfile, $pid);

	my $failure = wait_ready($notify, $pid, $timeout_s);
	close $notify;
	unlink $notify_path;
	return ($pid, undef) if !defined $failure;
	kill 'KILL', $pid;
	waitpid($pid, 0);
	unlink $pidfile;
	return (undef, $failure);
}

# In the child: a session of its own, no descriptor of the caller's (whoever reads a pipe of the
# caller would otherwise wait for the daemon's end), then the command.
sub exec_detached
{
	my ($logfile, $notify_path, @command) = @_;
	POSIX::setsid();
	POSIX::dup2(POSIX::open('/dev/null', O_RDWR), 0);
	my $log = POSIX::open($logfile, O_WRONLY | O_CREAT | O_APPEND, 0640);
	POSIX::dup2($log, 1);
	POSIX::dup2($log, 2);
	POSIX::close($_) for grep { $_ > 2 } open_descriptors();
	$ENV{NOTIFY_SOCKET} = $notify_path;
	delete @ENV{qw(WATCHDOG_USEC WATCHDOG_PID LISTEN_FDS LISTEN_PID)};
	{ no warnings 'exec'; exec { $command[0] } @command; }
	my $sentence = "Could not execute \"$command[0]\": $!.\n";
	POSIX::write(2, $sentence, length $sentence);
	POSIX::_exit(127);
}

sub open_descriptors
{
	opendir(my $dir, '/proc/self/fd') or return 3 .. 255;
	my @descriptors = grep { /^\d+$/ } readdir $dir;
	closedir $dir;
	return @descriptors;
}

sub write_pid
{
	my ($pidfile, $pid) = @_;
	open(my $out, '>', "$pidfile.new") or die "could not write \"$pidfile.new\": $!\n";
	print $out "$pid\n";
	close $out;
	rename("$pidfile.new", $pidfile) or die "could not rename to \"$pidfile\": $!\n";
}

# undef when the child is ready, else why not.
sub wait_ready
{
	my ($notify, $pid, $timeout_s) = @_;
	for (my $left_s = $timeout_s; $left_s > 0;)
	{
		if (waitpid($pid, WNOHANG) == $pid)
		{
			my $how = WIFSIGNALED($?) ? 'by signal ' . WTERMSIG($?) : 'with status ' . WEXITSTATUS($?);
			return "vectord ended $how before it was ready.";
		}
		my $readable = '';
		vec($readable, fileno($notify), 1) = 1;
		my ($found) = select($readable, undef, undef, 0.1);
		$left_s -= 0.1 if $found <= 0;
		next if $found <= 0;
		my $message;
		defined $notify->recv($message, 65536) or next;
		return undef if $message =~ /^READY=1$/m;
	}
	return "vectord was not ready within $timeout_s s.";
}

# True when the process in the file has ended within the time; the pid file is then removed.
sub wait_exit
{
	my ($pidfile, $timeout_s) = @_;
	my $pid = read_pid($pidfile);
	for (my $left_s = $timeout_s; $left_s > 0; $left_s -= $POLL_S)
	{
		waitpid($pid, WNOHANG);    # reaps it if it is a child of ours
		if (has_ended($pid))
		{
			unlink $pidfile;
			return 1;
		}
		select(undef, undef, undef, $POLL_S);
	}
	return 0;
}

# Sends the signal and waits for the exit. Returns undef, or why it failed.
# A daemon that SIGSTOP has paused is woken, or it could not obey.
sub signal_and_wait
{
	my ($signal, $pidfile, $word, $timeout_s) = @_;
	my $pid = running_pid($pidfile, $word);
	if (!defined $pid && !is_exiting($pidfile))
	{
		unlink $pidfile;
		return undef;
	}
	if (defined $pid)
	{
		kill($signal, $pid) or $!{ESRCH} or return "Could not send SIG$signal to vectord (pid $pid): $!.";
		kill 'CONT', $pid;
	}
	return undef if wait_exit($pidfile, $timeout_s);
	return sprintf('vectord (pid %s) did not exit within %s s of SIG%s.', read_pid($pidfile), $timeout_s, $signal);
}

sub main
{
	my ($verb, @arguments) = @_;
	my $failure;
	if ($verb eq 'start') { (undef, $failure) = start(@arguments); }
	elsif ($verb eq 'alive') { exit(defined running_pid(@arguments) ? 0 : 1); }
	elsif ($verb eq 'stop') { $failure = signal_and_wait('TERM', @arguments); }
	elsif ($verb eq 'kill') { $failure = signal_and_wait('KILL', @arguments); }
	else { $failure = "There is no verb \"$verb\"."; }
	print STDERR "$failure\n" if defined $failure;
	exit(defined $failure ? 1 : 0);
}

main(@ARGV) unless caller;
1;
