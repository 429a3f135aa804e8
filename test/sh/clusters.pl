#!/usr/bin/perl
# clusters.pl - "id<TAB>vector", for COPY, of rows and queries as embeddings are: drawn from clusters of few latent dimensions.
#
# With RECALL_LABELS=1 a third column has the number of the row's cluster.
# RECALL_ROWS rows, then RECALL_QUERIES more, whose ids go on, of RECALL_DIMENSIONS; RECALL_SEED chooses them.
use strict;
use warnings;
my ($rows, $dimensions) = ($ENV{RECALL_ROWS} + $ENV{RECALL_QUERIES}, $ENV{RECALL_DIMENSIONS});
my ($latent, $clusters, $mixed) = (24, 200, 4);
srand($ENV{RECALL_SEED});
my @spare;
sub gauss
{
	return pop @spare if @spare;
	my ($length, $angle) = (sqrt(-2 * log(1 - rand)), 6.283185307179586 * rand);
	push @spare, $length * sin $angle;
	return $length * cos $angle;
}
my @from = map { [ map { int rand $latent } 1 .. $mixed ] } 1 .. $dimensions;
my @weight = map { [ map { gauss() / 2 } 1 .. $mixed ] } 1 .. $dimensions;
my @centre = map { [ map { 1.2 * gauss() } 1 .. $latent ] } 1 .. $clusters;
for my $id (1 .. $rows)
{
	my $cluster = int rand $clusters;
	my @z = map { $_ + 0.7 * gauss() } @{ $centre[$cluster] };
	my @v;
	for my $d (0 .. $dimensions - 1)
	{
		my ($f, $w) = ($from[$d], $weight[$d]);
		push @v, sprintf "%.6g", $w->[0] * $z[ $f->[0] ] + $w->[1] * $z[ $f->[1] ]
		  + $w->[2] * $z[ $f->[2] ] + $w->[3] * $z[ $f->[3] ] + 0.15 * gauss();
	}
	print "$id\t{", join(",", @v), "}", $ENV{RECALL_LABELS} ? "\t$cluster" : "", "\n";
}
