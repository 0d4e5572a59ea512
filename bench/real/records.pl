# Records split, grouped in hashes of arrays, sorted and printed. Stands for reports and text tools.
use strict;
use warnings;

my $scale = shift;
my $state = 777;
sub random { $state = ($state * 1103515245 + 12345) % 2147483648; return int($state / 65536) % $_[0] }

my $check = 0;
my $rounds = int(6 * $scale / 100) || 1;
for my $round (1 .. $rounds) {
    my (%groups, @lines);
    for my $number (1 .. 30000) {
        push @lines, join ';', $number, 'name' . random(5000), random(1000), 'x' x random(40);
    }
    for my $line (@lines) {
        my ($number, $name, $amount, $note) = split /;/, $line, -1;
        push @{ $groups{$name} }, { number => $number, amount => $amount, note => $note };
    }
    for my $name (sort keys %groups) {
        my @rows = sort { $b->{amount} <=> $a->{amount} } @{ $groups{$name} };
        (my $text = join ',', map { $_->{note} } @rows) =~ s/x{3,}/-/g;
        $check = ($check * 31 + length($text) + $rows[0]{number}) % 1000003;
    }
}
print "check $check\n";
