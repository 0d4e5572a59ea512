# Hashes, strings, closures, sorting, regular expressions, circular structures. Argument: rounds.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);

my $rounds = shift // 10;
my $state  = 12345;
sub random { $state = ($state * 1103515245 + 12345) % 2147483648; return $state % $_[0] }

my $digest = '';
for my $round (1 .. $rounds) {
    my (%count, %nested);
    for (1 .. 6000) {
        my $word = join '', map { chr(97 + random(26)) } 1 .. 2 + random(5);
        $count{$word}++;
        push @{ $nested{ substr $word, 0, 1 }{ length $word } }, $word;
    }
    my @sorted = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
    my $text = join ' ', @sorted;
    (my $changed = $text) =~ s/(\w)(\w+)/$2$1/g;
    my $vowels = () = $changed =~ /[aeiou]+/g;

    my @adders = map { my $n = $_; sub { $n += shift } } 1 .. 2000;
    my $sum = 0;
    $sum += $_->(random(100)) for @adders;

    my $big = '';
    $big .= sprintf '%08x', random(1 << 30) for 1 .. 5000;
    substr($big, random(length $big), 1) = 'x' x random(50) for 1 .. 300;
    my %halves = map { $_ => reverse $_ } unpack '(a7)*', $big;
    delete $halves{$_} for grep { random(2) } sort keys %halves;

    my $ring = {};
    for (1 .. 500) { $ring = { next => $ring, data => [ 1 .. 10 ] } }
    my @copies = map { [ @{$_}{qw(data)} ] } ($ring) x 100;

    $digest = md5_hex($digest, $text, $changed, $vowels, $sum, $big, scalar(%halves) ? join ',', sort keys %halves : '', scalar @copies);
    print "$round $digest ", join(',', map { $_ . scalar keys %{ $nested{$_} } } sort keys %nested), "\n";
}
