#include "model/tool/sweep/sweep_tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TITLE_BYTES 512

/* --- results.csv --------------------------------------------------------- */

static void csv_text(FILE *f, const char *text) {
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, f);
        return;
    }
    (void)putc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            (void)putc('"', f);
        (void)putc(*text, f);
    }
    (void)putc('"', f);
}

static void csv_run(FILE *f, const struct sweep_plan *p, const struct sweep_run *r) {
    fputs(r->name, f);
    for (size_t k = 0; k < p->grid.keys; k++) {
        (void)putc(',', f);
        csv_text(f, sweep_grid_value(&p->grid, r->point, k));
    }
    fprintf(f, ",%llu,%s", (unsigned long long)p->grid.seed[r->seed], sweep_plan_state(r->state));
    for (size_t i = 0; i < SWEEP_FIELDS; i++) {
        (void)putc(',', f);
        if (r->state == SWEEP_DONE && isfinite(r->result.value[i]))
            fprintf(f, "%.12g", r->result.value[i]);
    }
    (void)putc(',', f);
    csv_text(f, r->why.text);
    (void)putc('\n', f);
}

void sweep_tables_csv(FILE *f, const struct sweep_plan *p) {
    fputs("name", f);
    for (size_t k = 0; k < p->grid.keys; k++)
        fprintf(f, ",%s", p->grid.key[k].row->name);
    fputs(",seed,state", f);
    for (size_t i = 0; i < SWEEP_FIELDS; i++)
        fprintf(f, ",%s", sweep_result_column((enum sweep_field)i));
    fputs(",reason\n", f);
    for (size_t i = 0; i < p->runs; i++)
        csv_run(f, p, &p->run[i]);
}

/* --- table.md ------------------------------------------------------------ */

static const struct column {
    enum sweep_field field;
    const char *title;
    double scale;
    int decimals;
    bool spread;
} columns[] = {
    {SWEEP_VALID, "valid accuracy, %", 100, 2, true},
    {SWEEP_TEST, "test accuracy, %", 100, 2, true},
    {SWEEP_VALID_F1, "valid macro-F1, %", 100, 2, true},
    {SWEEP_TEST_F1, "test macro-F1, %", 100, 2, true},
    {SWEEP_SECONDS, "training, s", 1, 2, true},
    {SWEEP_SPEED, "tokens/s", 1, 0, false},
    {SWEEP_PEAK_MB, "peak, MB", 1, 0, false},
    {SWEEP_BYTES, "file, MB", 1e-6, 2, false},
};

#define COLUMNS (sizeof columns / sizeof *columns)

/* Does any point know the column? */
static bool known(const struct sweep_plan *p, const struct column *c) {
    for (size_t i = 0; i < sweep_grid_points(&p->grid); i++)
        if (sweep_plan_stat(p, i, c->field).n)
            return true;
    return false;
}

/* A cell's text is no table's end and no line's. */
static void markdown_text(FILE *f, const char *text) {
    for (; *text; text++) {
        if (strchr("|*_`\\<", *text))
            (void)putc('\\', f);
        (void)putc(*text == '\n' ? ' ' : *text, f);
    }
}

static void markdown_head(FILE *f, const struct sweep_plan *p) {
    fputs("|", f);
    for (size_t k = 0; k < p->grid.keys; k++)
        fprintf(f, " %s |", p->grid.key[k].row->name);
    for (size_t c = 0; c < COLUMNS; c++)
        if (known(p, &columns[c]))
            fprintf(f, " %s |", columns[c].title);
    fputs(" runs |\n|", f);
    for (size_t k = 0; k < p->grid.keys; k++)
        fputs("---|", f);
    for (size_t c = 0; c < COLUMNS; c++)
        if (known(p, &columns[c]))
            fputs("---:|", f);
    fputs("---:|\n", f);
}

static size_t done_at(const struct sweep_plan *p, size_t point) {
    size_t n = 0;

    for (size_t i = 0; i < p->grid.seeds; i++)
        n += p->run[point * p->grid.seeds + i].state == SWEEP_DONE;
    return n;
}

static void markdown_row(FILE *f, const struct sweep_plan *p, size_t point, bool best) {
    fputs("|", f);
    for (size_t k = 0; k < p->grid.keys; k++) {
        fputs(best ? " **" : " ", f);
        markdown_text(f, sweep_grid_value(&p->grid, point, k));
        fputs(best ? "** |" : " |", f);
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        const struct column *c = &columns[i];
        struct sweep_stat s = sweep_plan_stat(p, point, c->field);
        const char *bold = best && c->field == p->judged ? "**" : "";

        if (!known(p, c))
            continue;
        if (s.n)
            fprintf(f, " %s%.*f", bold, c->decimals, c->scale * s.mean);
        if (s.n > 1 && c->spread)
            fprintf(f, " \u00b1 %.*f", c->decimals, c->scale * s.sd);
        fputs(s.n ? bold : " \u2013", f);
        fputs(" |", f);
    }
    fprintf(f, " %zu/%zu |\n", done_at(p, point), p->grid.seeds);
}

static void markdown_best(FILE *f, const struct sweep_plan *p, size_t best) {
    char title[TITLE_BYTES];

    sweep_grid_title(&p->grid, best, title, sizeof title);
    fputs("\nBest: **", f);
    markdown_text(f, title);
    fprintf(f, "**, chosen by %s.",
            p->judged == SWEEP_VALID
                ? "accuracy on validation rows"
                : "accuracy on test rows, which flatters: what is best on them is partly luck");
    if (p->grid.seeds > 1)
        fputs(" Means of the seeds \u00b1 their standard deviation.", f);
    fputs("\n", f);
}

static void markdown_failed(FILE *f, const struct sweep_plan *p) {
    char missing[TITLE_BYTES];

    if (!sweep_tables_missing(p, missing, sizeof missing))
        return;
    fprintf(f, "\n%s.\n", missing);
    for (size_t i = 0, n = 0; i < p->runs; i++) {
        const struct sweep_run *r = &p->run[i];

        if (r->state != SWEEP_FAILED)
            continue;
        fprintf(f, "%s- `%s`: ", n++ ? "" : "\n", r->name);
        markdown_text(f, r->why.text);
        fputs("\n", f);
    }
}

void sweep_tables_markdown(FILE *f, const struct sweep_plan *p) {
    char data[TITLE_BYTES];
    size_t best = 0;
    bool found = sweep_plan_best(p, &best);

    sweep_plan_data(p, data, sizeof data);
    fputs("# ", f);
    markdown_text(f, data);
    fputs("\n\n", f);
    markdown_head(f, p);
    for (size_t i = 0; i < sweep_grid_points(&p->grid); i++)
        markdown_row(f, p, i, found && i == best);
    if (found)
        markdown_best(f, p, best);
    markdown_failed(f, p);
}

/* --- JSON ---------------------------------------------------------------- */

static json_t *value_json(const struct sweep_plan *p, size_t point, size_t k) {
    const struct option_row *row = p->grid.key[k].row;
    const char *text = sweep_grid_value(&p->grid, point, k);

    if (row->kind == OPTION_CHOICE)
        return json_string(text);
    if (row->kind == OPTION_COUNT)
        return json_integer((json_int_t)strtod(text, NULL));
    return json_real(strtod(text, NULL));
}

static json_t *number_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *run_json(const struct sweep_plan *p, const struct sweep_run *r) {
    json_t *run = json_pack("{s:s, s:I, s:s}", "name", r->name, "seed",
                            (json_int_t)p->grid.seed[r->seed], "state", sweep_plan_state(r->state));

    if (*r->why.text)
        json_object_set_new(run, "reason", json_string(r->why.text));
    for (size_t i = 0; r->state == SWEEP_DONE && i < SWEEP_FIELDS; i++)
        json_object_set_new(run, sweep_result_column((enum sweep_field)i),
                            number_json(r->result.value[i]));
    return run;
}

static json_t *point_json(const struct sweep_plan *p, size_t point, bool best) {
    json_t *settings = json_object(), *mean = json_object(), *sd = json_object();
    json_t *runs = json_array();

    for (size_t k = 0; k < p->grid.keys; k++)
        json_object_set_new(settings, p->grid.key[k].row->name, value_json(p, point, k));
    for (size_t i = 0; i < SWEEP_FIELDS; i++) {
        struct sweep_stat s = sweep_plan_stat(p, point, (enum sweep_field)i);
        const char *name = sweep_result_column((enum sweep_field)i);

        if (s.n)
            json_object_set_new(mean, name, json_real(s.mean));
        if (s.n > 1)
            json_object_set_new(sd, name, json_real(s.sd));
    }
    for (size_t i = 0; i < p->grid.seeds; i++)
        json_array_append_new(runs, run_json(p, &p->run[point * p->grid.seeds + i]));
    return json_pack("{s:o, s:b, s:o, s:o, s:o}", "settings", settings, "best", best, "mean", mean,
                     "sd", sd, "runs", runs);
}

json_t *sweep_tables_json(const struct sweep_plan *p) {
    json_t *points = json_array();
    size_t best = 0;
    bool found = sweep_plan_best(p, &best);

    for (size_t i = 0; i < sweep_grid_points(&p->grid); i++)
        json_array_append_new(points, point_json(p, i, found && i == best));
    return json_pack("{s:s, s:o}", "chosen_by", sweep_result_column(p->judged), "points", points);
}

bool sweep_tables_missing(const struct sweep_plan *p, char *ret_text, size_t size) {
    size_t failed = sweep_plan_count(p, SWEEP_FAILED);
    size_t open = p->runs - failed - sweep_plan_count(p, SWEEP_DONE);

    if (failed && open)
        (void)snprintf(ret_text, size, "%zu of %zu runs failed, %zu are not done", failed, p->runs,
                       open);
    else if (failed)
        (void)snprintf(ret_text, size, "%zu of %zu runs failed", failed, p->runs);
    else if (open)
        (void)snprintf(ret_text, size, "%zu of %zu runs are not done", open, p->runs);
    return failed || open;
}
