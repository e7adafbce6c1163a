/* bench_print.h - what diffuse bench found: a table, JSON, a picture. */
#ifndef MODEL_TOOL_BENCH_BENCH_PRINT_H
#define MODEL_TOOL_BENCH_BENCH_PRINT_H

#include <stdio.h>

#include "model/tool/bench/bench_run.h"

void bench_print_table(FILE *f, const struct bench_run *r);
DIFFUSE_MUST_CHECK diffuse_err bench_print_json(FILE *f, const struct bench_run *r); /* NOMEM */
void bench_print_picture(FILE *f, const struct bench_run *r);

/* Share of OpenBLAS's own rate at a length, or in full batches of the first. */
double bench_print_share(const struct bench_run *r, size_t way, size_t length);

#endif
