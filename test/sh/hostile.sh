#!/bin/bash
# hostile.sh - what comes to vectord's socket is not always a backend.
#
# Random bytes, half a handshake, a handshake followed by frames of huge lengths, and thousands of
# connections at once. vectord lives, answers the others meanwhile, and gives back what it took.
#
# HOSTILE_CONNECTIONS (10000) is how many connections are held open at once.
set -euo pipefail

connections=${HOSTILE_CONNECTIONS:-10000}
limit=$(ulimit -Hn)
if [ "$limit" != unlimited ] && [ "$connections" -gt $((limit - 100)) ]; then
	connections=$((limit - 100))
	echo "# only $connections connections: this machine allows a process $limit descriptors"
fi
ulimit -Sn "$(ulimit -Hn)"

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
pid=$(cat "$VECTORD_PIDFILE")
resident_kb() { awk '/^VmRSS/ {print $2}' "/proc/$pid/status"; }
descriptors() { ls "/proc/$pid/fd" | wc -l; }
searches() {
	[ "$(sql -c "SELECT id FROM target ORDER BY v <-> '{7,7}' LIMIT 1")" = 7 ]
}

sql <<'SQL'
CREATE TABLE target_rows (id int PRIMARY KEY, v real[]);
INSERT INTO target_rows SELECT i, ARRAY[i, i]::real[] FROM generate_series(1, 1000) i;
SELECT vector_fdw.create_collection('target', 'target_rows', 'v');
SELECT vector_fdw.wait_for_collection('target');
CREATE FOREIGN TABLE target (id int, v real[]) SERVER vectord;
SQL
searches
kb_before=$(resident_kb)
descriptors_before=$(descriptors)

SOCKET=${VECTORD_ENDPOINT#ipc://} COUNT=$connections perl - <<'PERL' &
use strict;
use warnings;
use IO::Socket::UNIX;
srand(my $seed = $ENV{SEED} // time);
print "# seed $seed\n";
my $path = $ENV{SOCKET};
my @held;
sub attach { return IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path); }
sub noise { return join('', map { chr(int(rand(256))) } 1 .. shift); }
$SIG{PIPE} = 'IGNORE';

# ZMTP 3.1: greeting with the NULL mechanism, then READY as a DEALER.
my $greeting = "\xff" . "\0" x 8 . "\x7f" . "\x03\x01" . "NULL" . "\0" x 16 . "\0" . "\0" x 31;
my $properties = "\x05READY" . "\x0bSocket-Type" . pack('N', 6) . 'DEALER' . "\x08Identity" . pack('N', 0);
my $ready = "\x04" . chr(length $properties) . $properties;

for my $i (1 .. 300)
{
	my $socket = attach() or next;
	my $kind = $i % 6;
	if ($kind == 0) { print $socket noise(1 + rand 2000); }
	elsif ($kind == 1) { print $socket substr($greeting, 0, 1 + rand length $greeting); }
	elsif ($kind == 2) { print $socket $greeting . noise(1 + rand 500); }
	elsif ($kind == 3)
	{    # a frame that says it is huge, and a few of its bytes
		print $socket $greeting . $ready . "\x03" . pack('Q>', int(rand(2**50))) . noise(100);
	}
	elsif ($kind == 4)
	{    # whole messages of noise
		print $socket $greeting . $ready;
		for (1 .. 20) { my $n = 1 + int(rand(200)); print $socket "\0" . chr($n) . noise($n); }
	}
	else
	{    # our own header with numbers from anywhere, and a truncated message
		print $socket $greeting . $ready;
		for (1 .. 20)
		{
			my $header = 'VFD1' . pack('v', rand(3)) . pack('v', rand(12)) . noise(8)
			  . pack('V', rand(1000)) . pack('V', rand(8)) . noise(4) . pack('V', rand(300)) . pack('V', 0) . "\0" x 4;
			my $body = noise(1 + rand 200);
			print $socket "\1" . chr(40) . $header . "\0" . chr(length $body) . $body;
		}
	}
	$socket->flush;
	if (rand() < 0.5) { push @held, $socket; }
}
while (@held < $ENV{COUNT})
{
	my $socket = attach();
	last unless $socket;
	push @held, $socket;
}
print "# held ", scalar(@held), " connections\n";
open(my $ready_file, '>', "$path.held") or die;
close $ready_file;
sleep 1 while -e "$path.held";
PERL
attacker=$!
socket=${VECTORD_ENDPOINT#ipc://}
for _ in $(seq 600); do
	[ -e "$socket.held" ] && break
	kill -0 "$attacker" 2>/dev/null || break
	sleep 0.1
done
[ -e "$socket.held" ]
kb_held=$(resident_kb)

# A backend that was connected before or comes now is served as long as there is room for it; with
# all places taken it is told so.
if ! searches 2>"$SANDBOX_DIR/refused"; then
	grep -q 'could not reach vector daemon' "$SANDBOX_DIR/refused"
	echo "# no room for another backend meanwhile"
fi
rm "$socket.held"
wait "$attacker"

for _ in $(seq 600); do
	[ "$(descriptors)" -le $((descriptors_before + 8)) ] && break
	sleep 0.1
done
[ "$(cat "$VECTORD_PIDFILE")" = "$pid" ] && kill -0 "$pid"
searches
echo "# vectord: $kb_before kB and $descriptors_before descriptors; held: $kb_held kB; after: $(resident_kb) kB and $(descriptors) descriptors"
[ "$(descriptors)" -le $((descriptors_before + 8)) ]
# 64 kB for each connection while it is held, and what the allocator keeps of that.
[ "$kb_held" -le $((kb_before + connections * 64 + 65536)) ]
