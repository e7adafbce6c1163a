/* option_table.h - options that a table of rows defines: name, default, range, help.
 *
 * A verb includes its .def file into an array of rows, with OPTION_NUMBER and so on. The options
 * lie in one struct of the verb's; a row knows where.
 */
#ifndef MODEL_TOOL_COMMON_OPTION_TABLE_H
#define MODEL_TOOL_COMMON_OPTION_TABLE_H

#include <argp.h>
#include <jansson.h>
#include <stddef.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

enum option_kind { OPTION_NUMBER, OPTION_COUNT, OPTION_CHOICE };

struct option_row {
    const char *name, *help, *choice; /* choice: the default of a choice */
    enum option_kind kind;
    size_t member; /* byte offset of a double, uint64_t or const char * */
    double def, min, max;
};

/* What the rows of a .def file become, the options being members of the struct `of`. */
#define OPTION_ROW_NUMBER(of, field, name, def, min, max, help)                                    \
    {name, help, NULL, OPTION_NUMBER, offsetof(of, field), def, min, max},
#define OPTION_ROW_COUNT(of, field, name, def, min, max, help)                                     \
    {name, help, NULL, OPTION_COUNT, offsetof(of, field), def, min, max},
#define OPTION_ROW_CHOICE(of, field, name, def, help)                                              \
    {name, help, def, OPTION_CHOICE, offsetof(of, field), 0, 0, 0},

struct option_table {
    const struct option_row *row;
    size_t n;
};

void option_table_defaults(const struct option_table *t, void *options);

/* Is arg a value of the row? *ret_value is its number, 0 of a choice, whose names are checked where
 * they are used. Errors: INVAL, the reason naming option, value and range. */
DIFFUSE_MUST_CHECK diffuse_err option_row_value(const struct option_row *r, const char *arg,
                                                double *ret_value, struct reason *why);

/* Row i's value from the command line; a bad one exits with 2 and says what was expected. */
void option_table_parse(const struct option_table *t, size_t i, void *options, const char *arg,
                        struct argp_state *state);

/* ret_argp(n): the rows for argp, with keys from first_key on. */
void option_table_argp(const struct option_table *t, int first_key, int group,
                       struct argp_option *ret_argp);

/* All values by name: a new reference. */
json_t *option_table_json(const struct option_table *t, const void *options);

#endif
