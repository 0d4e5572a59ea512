/* Runs the misuse corpus: each case several times, each time in a process of its own.

       corpus --library FILE --build NAME --table expected.txt [...]   compare with the table
       corpus --library FILE [...]                                     only say what happens

       --group NAME     only this group (may be repeated)
       --case NAME      only this case
       --trials N       of each case (default 10)
       --controls N     runs of each control (default 10)
       --thread         the case runs in a second thread
       --guarded        guarded sampling of every allocation
       --names          with --table: compare nothing, only tell the messages' names
       --report FILE    one line for each trial: group, case, trial, outcome, message, why
       --verbose        and what the processes wrote
       --list           the names of all cases

   Exit status: 0 when every trial did what the table allows. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "table.h"

#define MAX_CHOSEN 32

const death_group_t death_groups[] = {
    {"double-free", death_double_free},
    {"invalid-free", death_invalid_free},
    {"overflow-write", death_overflow_write},
    {"overflow-read", death_overflow_read},
    {"underflow", death_underflow},
    {"uaf", death_uaf},
    {"metadata", death_metadata},
    {"sized-delete", death_sized_delete},
    {"misc", death_misc},
    {"limits", death_limits},
    {"stale-data", death_stale_data},
    {"mi-heaps", death_heaps},
    {"control", death_control},
    {NULL, NULL},
};

static struct {
    judge_how_t how;
    const char *build, *table, *only_case, *groups[MAX_CHOSEN];
    int group_count, trials, controls;
    bool guarded, verbose, list, names;
    FILE *report;
} options = {.trials = 10, .controls = 10};

/* what all trials of a case came to */
typedef struct tally {
    int outcomes[128];
    int wrong;
} tally_t;

static bool is_chosen(const death_group_t *group)
{
    for (int i = 0; i < options.group_count; i++)
        if (strcmp(options.groups[i], group->name) == 0) return true;
    return options.group_count == 0;
}

static void print_trial(const death_group_t *group, const death_case_t *c, const char *cell,
                        const judge_result_t *result)
{
    printf("%s/%s: %c, expected %s; status %#x%s%s\n", group->name, c->name, result->outcome,
           cell != NULL ? cell : "-", (unsigned)result->status, result->why[0] != 0 ? "; " : "",
           result->why);
    if (result->text[0] != 0) printf("%s", result->text);
}

static void report_trial(const death_group_t *group, const death_case_t *c, int trial,
                         const judge_result_t *result)
{
    if (options.report == NULL) return;
    const char *const message = options.table != NULL ? table_message_of(result) : "";
    fprintf(options.report, "%s\t%s\t%d\t%c\t%s\t%s\n", group->name, c->name, trial,
            result->outcome, message, result->why);
}

static bool compares(void) { return options.table != NULL && !options.names; }

static bool run_case(const death_group_t *group, const death_case_t *c)
{
    tally_t tally = {0};
    const char *const cell = compares() ? table_cell(group->name, c->name) : NULL;
    if (compares() && cell == NULL) {
        printf("%s/%s: no row in the table\n", group->name, c->name);
        return false;
    }
    if (cell != NULL && strcmp(cell, "-") == 0) return true;
    const int trials = group->cases == death_control ? options.controls : options.trials;
    for (int trial = 0; trial < trials; trial++) {
        judge_result_t result;
        judge_run(group, c, &options.how, &result);
        report_trial(group, c, trial, &result);
        tally.outcomes[(unsigned char)result.outcome & 127]++;
        const bool wrong = cell != NULL && !table_allows(cell, &result);
        if ((wrong && tally.wrong++ == 0) || options.verbose) print_trial(group, c, cell, &result);
        if (result.outcome == 'H') break; /* seconds for each */
    }
    if (tally.wrong > 0 || cell == NULL) {
        printf("%-15s %-36s", group->name, c->name);
        for (const char *o = "DLGCPMHSE"; *o != 0; o++)
            if (tally.outcomes[(int)*o] > 0) printf(" %c %d", *o, tally.outcomes[(int)*o]);
        printf("%s\n", tally.wrong > 0 ? "  WRONG" : "");
        fflush(stdout);
    }
    return tally.wrong == 0;
}

static bool run_all(void)
{
    bool good = true;
    int count = 0, open = 0;
    for (const death_group_t *group = death_groups; group->name != NULL; group++)
        for (const death_case_t *c = group->cases; c->name != NULL; c++) {
            const bool wanted = is_chosen(group) && (options.only_case == NULL ||
                                                     strcmp(options.only_case, c->name) == 0);
            if (options.list) printf("%s %s\n", group->name, c->name);
            const char *const cell =
                compares() ? table_cell(group->name, c->name) : NULL; /* marks it used */
            if (options.list || !wanted) continue;
            count++;
            open += cell != NULL && table_is_open(cell);
            if (!run_case(group, c)) good = false;
        }
    if (compares() && table_has_strangers()) good = false;
    if (!options.list)
        printf("%d cases, %d of them not yet as required: %s\n", count, open,
               good ? "as the table says" : "NOT as the table says");
    return good && (count > 0 || options.list);
}

static int run_one(char **argv)
{
    for (const death_group_t *group = death_groups; group->name != NULL; group++)
        for (const death_case_t *c = group->cases; c->name != NULL; c++)
            if (strcmp(group->name, argv[2]) == 0 && strcmp(c->name, argv[3]) == 0)
                return death_run_case(c, atoi(argv[4]), strcmp(argv[5], "few") == 0,
                                      strcmp(argv[6], "thread") == 0);
    return 3;
}

static bool read_flag(const char *word)
{
    if (strcmp(word, "--thread") == 0) return options.how.thread = true;
    if (strcmp(word, "--guarded") == 0) return options.guarded = true;
    if (strcmp(word, "--verbose") == 0) return options.verbose = true;
    if (strcmp(word, "--list") == 0) return options.list = true;
    if (strcmp(word, "--names") == 0) return options.names = true;
    return false;
}

static bool read_value(const char *word, const char *value)
{
    if (strcmp(word, "--library") == 0)
        options.how.library = value;
    else if (strcmp(word, "--build") == 0)
        options.build = value;
    else if (strcmp(word, "--table") == 0)
        options.table = value;
    else if (strcmp(word, "--case") == 0)
        options.only_case = value;
    else if (strcmp(word, "--trials") == 0)
        options.trials = atoi(value);
    else if (strcmp(word, "--controls") == 0)
        options.controls = atoi(value);
    else if (strcmp(word, "--report") == 0)
        options.report = fopen(value, "w");
    else if (strcmp(word, "--group") == 0 && options.group_count < MAX_CHOSEN)
        options.groups[options.group_count++] = value;
    else
        return false;
    return true;
}

/* Trials by MI_TEST_SCALE, in percent: all ten from 50 on, three at 5; controls 10,000 times at
   100. */
static void scale_trials(void)
{
    const char *const text = getenv("MI_TEST_SCALE");
    const int scale = text != NULL ? atoi(text) : 0;
    if (scale <= 0) return;
    options.trials = scale >= 50 ? 10 : scale >= 10 ? 5 : 3;
    options.controls = scale >= 100 ? 10000 : 4 * scale;
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "--run") == 0) return run_one(argv);
    scale_trials();
    for (int i = 1; i < argc; i++) {
        if (read_flag(argv[i])) continue;
        if (i + 1 == argc || !read_value(argv[i], argv[i + 1])) {
            fprintf(stderr, "corpus: what is %s? The head of main.c has the options.\n", argv[i]);
            return 2;
        }
        i++;
    }
    static const char *guarded[] = {"MIMALLOC_GUARDED_SAMPLE_RATE=1", NULL};
    if (options.guarded) {
        options.how.few = true;
        options.how.environment = guarded;
    }
    if (options.table != NULL)
        table_read(options.table, options.build != NULL ? options.build : "release");
    const bool good = run_all();
    if (options.report != NULL && fclose(options.report) != 0) return 1;
    return good ? 0 : 1;
}
