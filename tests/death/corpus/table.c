/* See table.h. */
#define _GNU_SOURCE
#include "table.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS 1024
#define MAX_MESSAGES 64
#define MAX_COLUMNS 8

typedef struct row {
    char *group, *name, *cell;
    bool used;
} row_t;

typedef struct message {
    char *name, *pattern;
} message_t;

static row_t rows[MAX_ROWS];
static size_t row_count;
static message_t messages[MAX_MESSAGES];
static size_t message_count;

_Noreturn static void bad(const char *path, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", path, line, what);
    exit(2);
}

/* "message NAME PATTERN"; the pattern is the rest of the line */
static void read_message(const char *path, int line, char *text)
{
    char *const name = strtok(text, " \t");
    char *pattern = strtok(NULL, "\n");
    if (name == NULL || pattern == NULL || message_count == MAX_MESSAGES)
        bad(path, line, "a message has a name and a pattern");
    pattern += strspn(pattern, " \t");
    messages[message_count++] = (message_t){strdup(name), strdup(pattern)};
}

static int column_of(const char *path, int line, char *text, const char *build)
{
    int found = -1, column = 0;
    for (char *word = strtok(text, " \t\n"); word != NULL; word = strtok(NULL, " \t\n"), column++)
        if (strcmp(word, build) == 0) found = column;
    if (found < 0) bad(path, line, "no column for this build");
    return found;
}

static void read_row(const char *path, int line, char *text, int column)
{
    char *words[2 + MAX_COLUMNS];
    int n = 0;
    for (char *word = strtok(text, " \t\n"); word != NULL; word = strtok(NULL, " \t\n"))
        if (n < 2 + MAX_COLUMNS) words[n++] = word;
    if (column < 0 || n < 3 + column || row_count == MAX_ROWS) bad(path, line, "cells are missing");
    rows[row_count++] =
        (row_t){strdup(words[0]), strdup(words[1]), strdup(words[2 + column]), false};
}

void table_read(const char *path, const char *build)
{
    char text[1024];
    int line = 0, column = -1;
    FILE *const file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while (fgets(text, sizeof text, file) != NULL) {
        line++;
        char *const at = text + strspn(text, " \t");
        if (*at == '#' || *at == '\n' || *at == 0) continue;
        if (strncmp(at, "message ", 8) == 0)
            read_message(path, line, at + 8);
        else if (strncmp(at, "builds ", 7) == 0)
            column = column_of(path, line, at + 7, build);
        else
            read_row(path, line, at, column);
    }
    fclose(file);
}

const char *table_cell(const char *group, const char *name)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].group, group) == 0 && strcmp(rows[i].name, name) == 0) {
            rows[i].used = true;
            return rows[i].cell;
        }
    return NULL;
}

bool table_is_open(const char *cell) { return strchr(cell, '!') != NULL; }

bool table_has_strangers(void)
{
    bool any = false;
    for (size_t i = 0; i < row_count; i++)
        if (!rows[i].used) {
            printf("the table has %s/%s, and the corpus has not\n", rows[i].group, rows[i].name);
            any = true;
        }
    return any;
}

/* %p in the pattern is the address of the misuse. */
static bool matches(const char *pattern, const judge_result_t *result)
{
    char text[1024], address[32];
    regex_t regex;
    const char *const place = strstr(pattern, "%p");
    snprintf(address, sizeof address, "0x%" PRIx64, result->address);
    if (place != NULL)
        snprintf(text, sizeof text, "%.*s%s%s", (int)(place - pattern), pattern, address,
                 place + 2);
    else
        snprintf(text, sizeof text, "%s", pattern);
    if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0) {
        fprintf(stderr, "bad pattern: %s\n", text);
        exit(2);
    }
    const bool found = regexec(&regex, result->text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

const char *table_message_of(const judge_result_t *result)
{
    for (size_t i = 0; i < message_count; i++)
        if (matches(messages[i].pattern, result)) return messages[i].name;
    return "";
}

static bool has_message(const char *name, size_t length, const judge_result_t *result)
{
    for (size_t i = 0; i < message_count; i++)
        if (strlen(messages[i].name) == length && strncmp(messages[i].name, name, length) == 0)
            return matches(messages[i].pattern, result);
    fprintf(stderr, "no message of the name %.*s\n", (int)length, name);
    exit(2);
}

/* LETTERS[:MESSAGE] */
static bool alternative_allows(const char *from, size_t length, const judge_result_t *result)
{
    const char *const colon = memchr(from, ':', length);
    const size_t letters = colon != NULL ? (size_t)(colon - from) : length;
    if (memchr(from, result->outcome, letters) == NULL) return false;
    return colon == NULL || has_message(colon + 1, length - letters - 1, result);
}

bool table_allows(const char *cell, const judge_result_t *result)
{
    const size_t all = strcspn(cell, "!"); /* what follows is required, not yet so */
    for (size_t at = 0; at < all;) {
        const size_t length = strcspn(cell + at, "|!");
        if (alternative_allows(cell + at, length, result)) return true;
        at += length + 1;
    }
    return false;
}
