#include "model/tool/bench/bench_print.h"

#include <jansson.h>
#include <math.h>

#include "model/base/gemm.h"
#include "model/tool/common/machine.h"
#include "model/tool/common/svg.h"

#define M 1e6

double bench_print_share(const struct bench_run *r, size_t way, size_t length) {
    return r->products[length] > 0 ? r->speed[way].text[length] / r->products[length] : 0;
}

/* Bytes of tables that a way reads in a second. */
static double table_rate(const struct bench_run *r, size_t way) {
    return r->speed[way].tokens * bench_run_table_bytes(r->model);
}

/* --- table --------------------------------------------------------------- */

static void print_head(FILE *f, const struct bench_run *r) {
    fprintf(f, "model %.12s, %zu texts of %.1f tokens, OpenBLAS for %s\n", r->model->id,
            r->texts->n, r->tokens_a_text, gemm_kernels());
    fprintf(f, "tokenizer %.1f MB/s, %.2f M tokens/s; memory read at %.1f GB/s\n\n",
            r->tokenizer_bytes / M, r->tokenizer_tokens / M, r->memory_bytes / 1e9);
}

void bench_print_table(FILE *f, const struct bench_run *r) {
    print_head(f, r);
    fprintf(f, "texts to labels, a second %7s %9s %9s %10s %9s\n", "one", "batches", "threads",
            "M tokens", "memory");
    for (size_t i = 0; i < r->ways; i++) {
        const struct bench_speed *s = &r->speed[i];

        fprintf(f, "  %-5s %-16s %9.0f %9.0f %9.0f %10.2f %7.1f %%\n", r->way[i].precision,
                r->way[i].kernel, s->one, s->batch, s->all, s->tokens / M,
                100 * table_rate(r, i) / r->memory_bytes);
    }
    fprintf(f, "\none text of so many tokens, microseconds and share of sgemm's rate\n%25s", "");
    for (size_t k = 0; k < BENCH_LENGTHS; k++)
        fprintf(f, " %10u       ", bench_lengths[k]);
    for (size_t i = 0; i < r->ways; i++) {
        fprintf(f, "\n  %-5s %-16s ", r->way[i].precision, r->way[i].kernel);
        for (size_t k = 0; k < BENCH_LENGTHS; k++)
            fprintf(f, " %10.1f %4.0f %%", 1e6 / r->speed[i].text[k],
                    100 * bench_print_share(r, i, k));
    }
    fprintf(f, "\n  %-22s ", "sgemm alone");
    for (size_t k = 0; k < BENCH_LENGTHS; k++)
        fprintf(f, " %10.1f       ", 1e6 / r->products[k]);
    fprintf(f, "\n");
}

/* --- JSON ---------------------------------------------------------------- */

static json_t *lengths_json(const struct bench_run *r, size_t way) {
    const struct bench_speed *s = &r->speed[way];
    json_t *all = json_array();

    for (size_t k = 0; k < BENCH_LENGTHS; k++)
        (void)json_array_append_new(
            all, json_pack("{s:i, s:f, s:f, s:f, s:f}", "tokens", (int)bench_lengths[k],
                           "microseconds", 1e6 / s->text[k], "tokens_s",
                           bench_lengths[k] * s->text[k], "texts_s_threads", s->text_all[k],
                           "share_of_sgemm", bench_print_share(r, way, k)));
    return all;
}

static json_t *way_json(const struct bench_run *r, size_t i) {
    const struct bench_speed *s = &r->speed[i];

    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:o}", "precision", r->way[i].precision,
                     "kernel", r->way[i].kernel, "texts_s_one", s->one, "texts_s_batch", s->batch,
                     "texts_s_threads", s->all, "tokens_s", s->tokens, "table_bytes_s",
                     table_rate(r, i), "lengths", lengths_json(r, i));
}

static json_t *limits_json(const struct bench_run *r) {
    json_t *all = json_array();

    for (size_t k = 0; k < BENCH_LENGTHS; k++)
        (void)json_array_append_new(
            all, json_pack("{s:i, s:f, s:f}", "tokens", (int)bench_lengths[k], "microseconds",
                           1e6 / r->products[k], "flops",
                           r->products[k] *
                               bench_limit_operations(&r->model->config, bench_lengths[k])));
    return all;
}

diffuse_err bench_print_json(FILE *f, const struct bench_run *r) {
    json_t *ways = json_array(), *all;
    int failed;

    for (size_t i = 0; i < r->ways; i++)
        (void)json_array_append_new(ways, way_json(r, i));
    all = json_pack("{s:s, s:o, s:s, s:I, s:f, s:i, s:i, s:f, s:f, s:f, s:f, s:o, s:o}", "model",
                    r->model->id, "machine", machine_json(), "openblas", gemm_kernels(), "texts",
                    (json_int_t)r->texts->n, "tokens_a_text", r->tokens_a_text, "batch",
                    (int)r->batch, "threads", (int)team_size(r->team), "tokenizer_bytes_s",
                    r->tokenizer_bytes, "tokenizer_tokens_s", r->tokenizer_tokens, "memory_bytes_s",
                    r->memory_bytes, "table_bytes_a_token", bench_run_table_bytes(r->model),
                    "sgemm", limits_json(r), "ways", ways);
    failed = !all || json_dumpf(all, f, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(all);
    fputc('\n', f);
    return failed ? DIFFUSE_NOMEM : DIFFUSE_OK;
}

/* --- picture ------------------------------------------------------------- */

#define WIDTH  760.0
#define MARGIN 40.0
#define LEFT   190.0 /* edge of the bars */
#define BAR    13.0
#define TOP    96.0

static const char *const colours[BENCH_LENGTHS] = {"#1f6fb2", "#3d8168", "#c9730e", "#8250a8"};

static void draw_bar(FILE *f, double y, double rate, double most, const char *colour) {
    const struct svg_font value = {10.5, SVG_INK, SVG_START, false, 0};
    double width = (WIDTH - LEFT - MARGIN - 80) * rate / most;
    char text[64];

    (void)snprintf(text, sizeof text, "%.2f M", rate / M);
    svg_rect(f, LEFT, y, width, BAR - 2, colour, 0.85);
    svg_text(f, LEFT + width + 5, y + BAR - 4, &value, text);
}

static void draw_way(FILE *f, const struct bench_run *r, size_t i, double y, double most) {
    const struct svg_font name = {11.5, SVG_INK, SVG_END, false, 0};
    char text[64];

    (void)snprintf(text, sizeof text, "%s, %s", r->way[i].precision, r->way[i].kernel);
    svg_text_fit(f, LEFT - 8, y + 2 * BAR + 3, &name, LEFT - MARGIN, text);
    for (size_t k = 0; k < BENCH_LENGTHS; k++)
        draw_bar(f, y + BAR * (double)k, bench_lengths[k] * r->speed[i].text[k], most, colours[k]);
}

void bench_print_picture(FILE *f, const struct bench_run *r) {
    const struct svg_font title = {18, SVG_INK, SVG_START, true, 0};
    const struct svg_font grey = {12, SVG_GREY, SVG_START, false, 0};
    const double group = BENCH_LENGTHS * BAR + 14;
    double most = 1;
    char text[160];

    for (size_t i = 0; i < r->ways; i++)
        for (size_t k = 0; k < BENCH_LENGTHS; k++)
            most = fmax(most, bench_lengths[k] * r->speed[i].text[k]);
    svg_open(f, WIDTH, TOP + group * (double)r->ways + MARGIN);
    (void)snprintf(text, sizeof text, "Tokens a second, model %.12s", r->model->id);
    svg_text(f, MARGIN, 38, &title, text);
    svg_text(f, MARGIN, 60, &grey, "one text at a time, in one thread; of so many tokens:");
    for (size_t k = 0; k < BENCH_LENGTHS; k++) {
        (void)snprintf(text, sizeof text, "%u", bench_lengths[k]);
        svg_rect(f, MARGIN + 80 * (double)k, 70, 10, 10, colours[k], 0.85);
        svg_text(f, MARGIN + 80 * (double)k + 16, 80, &grey, text);
    }
    for (size_t i = 0; i < r->ways; i++)
        draw_way(f, r, i, TOP + group * (double)i, most);
    svg_close(f);
}
