/* Reads expected.txt, the one table of what each build is expected to do with each case; its head
   explains the format. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>

#include "judge.h"

/* Ends the process with a message when the file is bad. */
void table_read(const char *path, const char *build);
/* The cell of this case, NULL: there is no such row. "-": not to be run. */
const char *table_cell(const char *group, const char *name);
/* true: the cell still says what is, not what is required */
bool table_is_open(const char *cell);
/* true: the cell allows this result */
bool table_allows(const char *cell, const judge_result_t *result);
/* Rows that no case has. Prints them. */
bool table_has_strangers(void);
/* The name of the first message of the table that the text has, or "" */
const char *table_message_of(const judge_result_t *result);

#endif
