/*
 * redis_client SOCKET COMMANDS: drives a redis server with a fixed stream of mixed commands in
 * batches of 64, asks for a digest of all data, and shuts the server down.
 *
 * Strings of 8 to 2000 bytes, lists, hashes, sets and sorted sets on 20,000 keys each; one command
 * in ten deletes. The digest is the check: it must not depend on the allocator.
 */
#include "../workloads/common.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BATCH = 64, KEYS = 20000 };

static int server;
static char out[1 << 20];
static size_t out_bytes;
static char in[1 << 16];
static size_t in_first, in_last;

static void put(const char *bytes, size_t count)
{
    bench_check(out_bytes + count <= sizeof out);
    memcpy(out + out_bytes, bytes, count);
    out_bytes += count;
}

static void command(unsigned count, const char *const *words, const size_t *lengths)
{
    char head[32];
    put(head, (size_t)snprintf(head, sizeof head, "*%u\r\n", count));
    for (unsigned i = 0; i < count; i++) {
        size_t length = lengths != NULL && lengths[i] > 0 ? lengths[i] : strlen(words[i]);
        put(head, (size_t)snprintf(head, sizeof head, "$%zu\r\n", length));
        put(words[i], length);
        put("\r\n", 2);
    }
}

static void send_all(void)
{
    for (size_t at = 0; at < out_bytes;) {
        ssize_t sent = write(server, out + at, out_bytes - at);
        bench_check(sent > 0);
        at += (size_t)sent;
    }
    out_bytes = 0;
}

static char next_byte(void)
{
    if (in_first == in_last) {
        ssize_t got = read(server, in, sizeof in);
        bench_check(got > 0);
        in_first = 0;
        in_last = (size_t)got;
    }
    return in[in_first++];
}

static void read_line(char *line, size_t size)
{
    size_t length = 0;
    for (char c; (c = next_byte()) != '\r';)
        if (length + 1 < size) line[length++] = c;
    line[length] = 0;
    next_byte();
}

/* Reads one reply; the text of a simple one is left in `line`. */
static void read_reply(char *line, size_t size)
{
    read_line(line, size);
    bench_check(line[0] != '-');
    long count = atol(line + 1);
    if (line[0] == '$' && count >= 0)
        for (long i = 0; i < count + 2; i++) next_byte();
    if (line[0] == '*')
        for (long i = 0; i < count; i++) read_reply(line, size);
}

static void mixed_command(bench_rng *rng)
{
    static char value[2048];
    char key[32], field[32];
    uint32_t number = bench_rng_below(rng, KEYS);
    size_t length = bench_rng_power_size(rng, 8, 2048) - 8;
    if (length < 8) length = 8;
    memset(value, 'a' + (int)(number % 26), length);
    snprintf(field, sizeof field, "%u", bench_rng_below(rng, 200));
    uint32_t kind = bench_rng_below(rng, 10);
    static const char KINDS[] = "ssslhhzess";
    snprintf(key, sizeof key, "%c:%u", KINDS[kind], kind < 3 || kind > 7 ? number : number / 20);
    if (kind < 3)
        command(3, (const char *[]){"SET", key, value}, (size_t[]){0, 0, length});
    else if (kind == 3)
        command(3, (const char *[]){"RPUSH", key, value}, (size_t[]){0, 0, length});
    else if (kind < 6)
        command(4, (const char *[]){"HSET", key, field, value}, (size_t[]){0, 0, 0, length});
    else if (kind == 6)
        command(4, (const char *[]){"ZADD", key, field, field}, NULL);
    else if (kind == 7)
        command(3, (const char *[]){"SADD", key, field}, NULL);
    else if (kind == 8)
        command(2, (const char *[]){"GET", key}, NULL);
    else {
        static const char DROPPED[] = "slhze";
        char drop = DROPPED[number % 5];
        snprintf(key, sizeof key, "%c:%u", drop, drop == 's' ? number : number / 20);
        command(2, (const char *[]){"DEL", key}, NULL);
    }
}

int main(int argc, char **argv)
{
    bench_check(argc == 3);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    uint64_t commands = strtoull(argv[2], NULL, 10);
    server = socket(AF_UNIX, SOCK_STREAM, 0);
    int tries = 0;
    while (connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        bench_check(++tries < 500);
        usleep(20000);
    }
    bench_rng rng = bench_rng_seed(31);
    char line[256];
    double since = bench_seconds();
    for (uint64_t n = 0; n < commands; n += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) mixed_command(&rng);
        send_all();
        for (unsigned i = 0; i < BATCH; i++) read_reply(line, sizeof line);
    }
    bench_lap("commands", since);
    command(2, (const char *[]){"DEBUG", "DIGEST"}, NULL);
    send_all();
    read_reply(line, sizeof line);
    printf("check %s\n", line + 1);
    command(2, (const char *[]){"SHUTDOWN", "NOSAVE"}, NULL);
    send_all();
    return 0;
}
