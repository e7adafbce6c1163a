/* sweep_tables.h - what came of a sweep, as text: a line a run for programs, a line a point for
 * people. Errors of the file are the caller's to see. */
#ifndef MODEL_TOOL_SWEEP_SWEEP_TABLES_H
#define MODEL_TOOL_SWEEP_SWEEP_TABLES_H

#include <stdio.h>

#include "model/tool/sweep/sweep_plan.h"

/* results.csv: a header, and every run; what it does not know stays empty. */
void sweep_tables_csv(FILE *f, const struct sweep_plan *p);

/* table.md: mean and spread of every point, the best one marked, and what failed. */
void sweep_tables_markdown(FILE *f, const struct sweep_plan *p);

/* Both in one, for --json: a new reference. */
json_t *sweep_tables_json(const struct sweep_plan *p);

/* "3 of 8 runs failed", "2 of 8 runs are not done": why the result is not whole; false: it is. */
bool sweep_tables_missing(const struct sweep_plan *p, char *ret_text, size_t size);

#endif
