#include "model/tool/common/option_table.h"

#include <stdint.h>
#include <stdlib.h>

static void set(const struct option_row *r, void *options, double value, const char *text) {
    void *at = (char *)options + r->member;

    switch (r->kind) {
    case OPTION_NUMBER:
        *(double *)at = value;
        return;
    case OPTION_COUNT:
        *(uint64_t *)at = (uint64_t)value;
        return;
    case OPTION_CHOICE:
        *(const char **)at = text;
        return;
    }
}

void option_table_defaults(const struct option_table *t, void *options) {
    for (size_t i = 0; i < t->n; i++)
        set(&t->row[i], options, t->row[i].def, t->row[i].choice);
}

diffuse_err option_row_value(const struct option_row *r, const char *arg, double *ret_value,
                             struct reason *why) {
    char *end;
    double value;

    *ret_value = 0;
    if (r->kind == OPTION_CHOICE)
        return DIFFUSE_OK;
    value = strtod(arg, &end);
    if (end == arg || *end || !(value >= r->min && value <= r->max) ||
        (r->kind == OPTION_COUNT && value != (double)(uint64_t)value))
        return reason_set(why, DIFFUSE_INVAL, "--%s is \"%s\", expected %s from %g to %g", r->name,
                          arg, r->kind == OPTION_COUNT ? "a whole number" : "a number", r->min,
                          r->max);
    *ret_value = value;
    return DIFFUSE_OK;
}

void option_table_parse(const struct option_table *t, size_t i, void *options, const char *arg,
                        struct argp_state *state) {
    struct reason why;
    double value;

    if (option_row_value(&t->row[i], arg, &value, &why))
        argp_error(state, "%s", why.text);
    set(&t->row[i], options, value, arg);
}

void option_table_argp(const struct option_table *t, int first_key, int group,
                       struct argp_option *ret_argp) {
    for (size_t i = 0; i < t->n; i++)
        ret_argp[i] = (struct argp_option){.name = t->row[i].name,
                                           .key = first_key + (int)i,
                                           .arg = t->row[i].kind == OPTION_CHOICE ? "NAME" : "N",
                                           .doc = t->row[i].help,
                                           .group = group};
}

static json_t *value_json(const struct option_row *r, const void *options) {
    const void *at = (const char *)options + r->member;

    switch (r->kind) {
    case OPTION_NUMBER:
        return json_real(*(const double *)at);
    case OPTION_COUNT:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case OPTION_CHOICE:
        return json_string(*(const char *const *)at);
    }
    return json_null();
}

json_t *option_table_json(const struct option_table *t, const void *options) {
    json_t *all = json_object();

    for (size_t i = 0; i < t->n; i++)
        json_object_set_new(all, t->row[i].name, value_json(&t->row[i], options));
    return all;
}
