#include "daemon/budget/plan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void plan_add(struct plan *p, const char *name, uint64_t bytes, enum conf_key key, uint64_t unit,
              uint64_t value, const char *format, ...) {
    assert(p->n < PLAN_ROWS_MAX);
    struct plan_row *row = &p->row[p->n++];
    *row =
        (struct plan_row){.name = name, .bytes = bytes, .key = key, .unit = unit, .value = value};
    va_list args;
    va_start(args, format);
    vsnprintf(row->detail, sizeof row->detail, format, args);
    va_end(args);
    p->total += bytes;
}

uint64_t plan_frame_max(const struct conf *c) {
    return 2 * c->max_message;
}

/* Should a rather be changed than b? */
static bool before(const struct plan_row *a, const struct plan_row *b) {
    if ((a->key == CONF_KEY_reload) != (b->key == CONF_KEY_reload))
        return b->key == CONF_KEY_reload;
    return a->bytes >= b->bytes;
}

/* The largest row whose key can be lowered far enough, but no second model before all others; NULL
 * when there is none. */
static const struct plan_row *row_to_change(const struct plan *p, uint64_t over,
                                            uint64_t *ret_value) {
    const struct plan_row *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_row *row = &p->row[i];
        if (row->key == CONF_KEYS || row->unit == 0 || (best && before(best, row)))
            continue;
        uint64_t less = (over + row->unit - 1) / row->unit;
        less += less / 1024; /* a row's unit is a mean, and blocks are aligned */
        uint64_t least = conf_row(row->key)->min;
        if (row->key == CONF_KEY_batch_tokens && least < p->max_length)
            least = p->max_length;
        if (row->key == CONF_KEY_batch_tokens) /* its bytes grow in steps */
            less = (less + PLAN_TOKEN_STEP - 1) / PLAN_TOKEN_STEP * PLAN_TOKEN_STEP;
        if (row->key == CONF_KEY_workers)
            least = 1;
        if (row->value < less || row->value - less < least)
            continue;
        best = row;
        *ret_value = row->value - less;
    }
    return best;
}

/* But the program, which comes first and is as it is. */
static const struct plan_row *largest_row(const struct plan *p) {
    const struct plan_row *best = &p->row[1];
    for (size_t i = 2; i < p->n; i++) {
        if (p->row[i].bytes > best->bytes)
            best = &p->row[i];
    }
    return best;
}

diffuse_err plan_check(const struct plan *p, struct reason *why) {
    char total[32], budget[32], bytes[32], value[32];
    uint64_t fitting = 0;
    if (p->total <= p->budget)
        return DIFFUSE_OK;
    plan_human(p->total, total, sizeof total);
    plan_human(p->budget, budget, sizeof budget);
    uint64_t enough = (p->total + (1u << 20) - 1) >> 20;
    const struct plan_row *row = row_to_change(p, p->total - p->budget, &fitting);
    if (!row) {
        row = largest_row(p);
        plan_human(row->bytes, bytes, sizeof bytes);
        return reason_set(why, DIFFUSE_BUDGET,
                          "the plan takes %s, memory_budget is %s; set memory_budget to %" PRIu64
                          "M (no single other key could make it fit; the largest row is '%s' with "
                          "%s)",
                          total, budget, enough, row->name, bytes);
    }
    plan_human(row->bytes, bytes, sizeof bytes);
    confvalue_format(conf_row(row->key)->type, conf_row(row->key)->choices, fitting, value,
                     sizeof value);
    return reason_set(why, DIFFUSE_BUDGET,
                      "the plan takes %s, memory_budget is %s; %s %s to %s (its row '%s' takes "
                      "%s) or set memory_budget to %" PRIu64 "M",
                      total, budget, row->key == CONF_KEY_reload ? "set" : "lower",
                      conf_row(row->key)->key, value, row->name, bytes, enough);
}

uint64_t plan_bytes(const struct plan *p, const char *name) {
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->row[i].name, name) == 0)
            return p->row[i].bytes;
    }
    return 0;
}

void plan_human(uint64_t bytes, char *ret_text, size_t cap) {
    if (bytes < 1024)
        snprintf(ret_text, cap, "%" PRIu64 " B", bytes);
    else if (bytes < 1024 * 1024)
        snprintf(ret_text, cap, "%.1f KiB", (double)bytes / 1024);
    else
        snprintf(ret_text, cap, "%.1f MiB", (double)bytes / (1024 * 1024));
}

void plan_print(const struct plan *p) {
    char text[32];
    for (size_t i = 0; i < p->n; i++) {
        plan_human(p->row[i].bytes, text, sizeof text);
        printf("%-16s %10s %3.0f %%  %s\n", p->row[i].name, text,
               100.0 * (double)p->row[i].bytes / (double)p->budget, p->row[i].detail);
    }
    plan_human(p->total, text, sizeof text);
    printf("%-16s %10s %3.0f %%", "total", text, 100.0 * (double)p->total / (double)p->budget);
    plan_human(p->budget, text, sizeof text);
    printf("  of memory_budget %s\n", text);
}
