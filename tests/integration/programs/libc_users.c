/* Parts of libc that allocate, among them some that allocate in one library and free in another. */
#define _GNU_SOURCE
#include <argz.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <monetary.h>
#include <netdb.h>
#include <obstack.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <search.h>
#include <spawn.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wordexp.h>

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

extern char **environ;

static void accounts(void)
{
    struct passwd *user = getpwnam("root");
    printf("root: %d %s\n", user == NULL ? -1 : (int)user->pw_uid, user ? user->pw_dir : "-");
    struct group *group = getgrgid(0);
    printf("group 0: %s\n", group ? group->gr_name : "-");
    int users = 0;
    setpwent();
    while (getpwent() != NULL) users++;
    endpwent();
    printf("users: %s\n", users > 0 ? "some" : "none");
    printf("nobody by that name: %d\n", getpwnam("no such user here") == NULL);
}

static void names(void)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    for (int i = 0; i < 20; i++) {
        int code = getaddrinfo("localhost", "80", &hints, &found);
        if (i == 0) {
            char host[100] = "";
            if (code == 0)
                getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, NULL, 0,
                            NI_NUMERICHOST);
            printf("localhost: %s %s\n", code == 0 ? "found" : gai_strerror(code), host);
        }
        if (code == 0) freeaddrinfo(found);
    }
    struct servent *service = getservbyname("http", "tcp");
    printf("http: %d\n", service ? ntohs((uint16_t)service->s_port) : -1);
    struct protoent *protocol = getprotobyname("tcp");
    printf("tcp: %d\n", protocol ? protocol->p_proto : -1);
}

static void locales(void)
{
    const char *tried[] = {"C", "C.UTF-8", "POSIX", "", "xx_YY.nonsense"};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        const char *set = setlocale(LC_ALL, tried[i]);
        printf("locale %s: %s, %s\n", tried[i], set ? set : "NULL", nl_langinfo(CODESET));
    }
    for (int i = 0; i < 10; i++) {
        locale_t made = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
        locale_t copy = duplocale(made);
        freelocale(made);
        freelocale(copy);
    }
    setlocale(LC_ALL, "C.UTF-8");
    wchar_t wide[100];
    size_t count = mbstowcs(wide, "gr\xc3\xbc\xc3\x9f dich", 100);
    wchar_t *copy = wcsdup(wide);
    printf("wide: %zu %ls\n", count, copy);
    free(copy);
    char money[100];
    strfmon(money, sizeof money, "%n", 1234.5);
    printf("money: %s\n", money);
}

static void conversion(void)
{
    const char *charsets[] = {"ISO-8859-1", "UTF-16LE", "UTF-32", "CP1252", "EUC-JP", "KOI8-R"};
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
        iconv_t conversion = iconv_open(charsets[i], "UTF-8");
        if (conversion == (iconv_t)-1) {
            printf("iconv %s: %s\n", charsets[i], strerrorname_np(errno));
            continue;
        }
        char text[] = "plain text 123", out[200], *from = text, *to = out;
        size_t left = strlen(text), room = sizeof out;
        iconv(conversion, &from, &left, &to, &room);
        printf("iconv %s: %zu bytes\n", charsets[i], sizeof out - room);
        iconv_close(conversion);
    }
}

static int compare_numbers(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

static void count_node(const void *node, VISIT order, void *count)
{
    (void)node;
    if (order == postorder || order == leaf) ++*(int *)count;
}

static void keep_node(void *node) { (void)node; }

static void searching(void)
{
    enum { N = 200000 };
    unsigned *numbers = malloc(N * sizeof *numbers), state = 1, sum = 0;
    for (int i = 0; i < N; i++) numbers[i] = state = state * 1664525u + 1013904223u;
    qsort(numbers, N, sizeof *numbers, compare_numbers);
    for (int i = 0; i < N; i += 1000) sum = sum * 31 + numbers[i];
    printf("qsort: %u\n", sum);

    void *tree = NULL;
    for (int i = 0; i < 1000; i++) tsearch(&numbers[i * 7 % 1000], &tree, compare_numbers);
    int nodes = 0;
    twalk_r(tree, count_node, &nodes);
    tdestroy(tree, keep_node);
    printf("tree: %d\n", nodes);

    hcreate(2000);
    for (int i = 0; i < 1000; i++) {
        char key[20];
        snprintf(key, sizeof key, "key %d", i);
        hsearch((ENTRY){strdup(key), NULL}, ENTER);
    }
    printf("hash: %s\n", hsearch((ENTRY){"key 777", NULL}, FIND) ? "found" : "lost");
    hdestroy();
    free(numbers);
}

static void expressions(void)
{
    const char *patterns[] = {"^([a-z]+)-([0-9]+)$", "(a|b)*c{2,50}", "[[:alpha:]_][[:alnum:]_]*",
                              "(((((x)?)*)+)|y){1,20}"};
    const char *texts[] = {"abc-123", "ababcc", "_name9", "xxxxy", "-"};
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        regex_t compiled;
        regmatch_t parts[4];
        if (regcomp(&compiled, patterns[p], REG_EXTENDED) != 0) continue;
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
            int found = regexec(&compiled, texts[t], 4, parts, 0) == 0;
            printf("%d%d ", found, found ? (int)parts[0].rm_eo : 0);
        }
        regfree(&compiled);
    }
    printf("\n");
    glob_t names;
    int globbed = glob("/etc/host{s,name}", GLOB_BRACE, NULL, &names);
    printf("glob: %d %zu\n", globbed, names.gl_pathc);
    globfree(&names);
    wordexp_t words;
    setenv("WORD", "one two", 1);
    int code = wordexp("$WORD \"$WORD\" $(echo sub shell)", &words, 0);
    printf("wordexp: %d %zu %s\n", code, words.we_wordc, code == 0 ? words.we_wordv[2] : "-");
    wordfree(&words);
}

static void streams(void)
{
    FILE *file = fopen("streams.txt", "w+");
    for (int i = 0; i < 10000; i++) fprintf(file, "line %d %*s\n", i, i % 300, "");
    rewind(file);
    char *line = NULL;
    size_t room = 0;
    long lines = 0, bytes = 0;
    for (ssize_t n; (n = getline(&line, &room, file)) > 0; lines++) bytes += n;
    free(line);
    fclose(file);
    printf("getline: %ld lines, %ld bytes\n", lines, bytes);

    char *memory = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&memory, &length);
    for (int i = 0; i < 20000; i++) fprintf(stream, "%d,", i);
    fclose(stream);
    printf("open_memstream: %zu\n", length);
    char word[16];
    FILE *back = fmemopen(memory, length, "r");
    setvbuf(back, NULL, _IOFBF, 1 << 16);
    printf("fmemopen: %d\n", fscanf(back, "%15[0-9]", word));
    fclose(back);
    free(memory);

    char *text = NULL, *scanned = NULL;
    printf("asprintf: %d\n", asprintf(&text, "%1$s%1$s%2$0500d", "twice", 7));
    int fields = sscanf("  word  ", "%ms", &scanned);
    printf("sscanf: %d %s\n", fields, scanned);
    free(text);
    free(scanned);
    printf("float: %.500f|%a\n", 1.0 / 3.0, 0.1);

    FILE *open[200];
    for (int i = 0; i < 200; i++) open[i] = fopen("/dev/null", "w");
    for (int i = 0; i < 200; i++) {
        fputs("something", open[i]);
        fclose(open[i]);
    }
}

static void processes(void)
{
    for (int i = 0; i < 5; i++) {
        FILE *pipe = popen("echo from a shell; cat /dev/null", "r");
        char line[100] = "";
        if (fgets(line, sizeof line, pipe) == NULL) strcpy(line, "nothing\n");
        printf("popen: %d %s", pclose(pipe), line);
    }
    printf("system: %d\n", WEXITSTATUS(system("exit 7")));
    char *argv[] = {"sh", "-c", "exit 9", NULL};
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 50; i++) posix_spawn_file_actions_addclose(&actions, 200 + i);
    if (posix_spawnp(&pid, "sh", &actions, NULL, argv, environ) == 0) waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    printf("posix_spawn: %d\n", WEXITSTATUS(status));
}

static void folders(void)
{
    char *here = getcwd(NULL, 0), *real = realpath(".", NULL), *canonical;
    canonical = canonicalize_file_name("/usr/../usr/./bin/..");
    printf("paths: %d %s\n", strcmp(here, real) == 0, canonical);
    free(here);
    free(real);
    free(canonical);
    for (int i = 0; i < 50; i++) {
        char name[20];
        snprintf(name, sizeof name, "entry-%02d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    struct dirent **entries;
    int count = scandir(".", &entries, NULL, alphasort), listed = 0;
    for (int i = 0; i < count; i++) {
        listed += strncmp(entries[i]->d_name, "entry-", 6) == 0;
        free(entries[i]);
    }
    free(entries);
    printf("scandir: %d\n", listed);
}

static void *key_value(void *key)
{
    pthread_setspecific(*(pthread_key_t *)key, strdup("freed by the key's destructor"));
    struct tm when;
    time_t zero = 0;
    localtime_r(&zero, &when);
    return strdup("from a thread");
}

static void various(void)
{
    for (int i = 0; i < 2000; i++) {
        char name[30], value[300];
        snprintf(name, sizeof name, "VARIABLE_%d", i % 300);
        memset(value, 'v', sizeof value);
        value[i % 299] = 0;
        setenv(name, value, 1);
    }
    printf("getenv: %zu\n", strlen(getenv("VARIABLE_7")));
    char *vector = NULL;
    size_t length = 0;
    argz_create_sep("a:b:c:d", ':', &vector, &length);
    argz_add(&vector, &length, "e");
    printf("argz: %zu\n", argz_count(vector, length));
    free(vector);
    struct obstack stack;
    obstack_init(&stack);
    for (int i = 0; i < 10000; i++) obstack_printf(&stack, "%d ", i);
    printf("obstack: %zu\n", (size_t)obstack_object_size(&stack));
    obstack_free(&stack, NULL);
    pthread_key_t key;
    pthread_key_create(&key, free);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void *result;
        pthread_create(&thread, NULL, key_value, &key);
        pthread_join(thread, &result);
        if (i == 0) printf("thread: %s\n", (char *)result);
        free(result);
    }
    char text[100];
    time_t zero = 0;
    strftime(text, sizeof text, "%c %Z", localtime(&zero));
    printf("time: %s\n", text);
}

int main(void)
{
    accounts();
    names();
    locales();
    conversion();
    searching();
    expressions();
    streams();
    fflush(stdout);
    processes();
    folders();
    various();
    return 0;
}
