#include "daemon/show.h"

#include <stdio.h>

void show_configuration(const struct conf *c) {
    for (int key = 0; key < (int)CONF_KEYS; key++) {
        char value[CONF_TEXT_BYTES * 4], origin[CONF_TEXT_BYTES + 16];
        conf_show(c, (enum conf_key)key, value, sizeof value);
        conf_origin(c, (enum conf_key)key, origin, sizeof origin);
        printf("%s = %s    ; %s\n", conf_row((enum conf_key)key)->key, value, origin);
    }
}

void show_plan(const struct plan *p) {
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
