/* ctl_json.h - answers and status as JSON, one object a line. */
#ifndef CLIENT_CTL_JSON_H
#define CLIENT_CTL_JSON_H

#include "client/ctl/top/top_facts.h"
#include "client/diffuse.h"

/* A label, an error or an event on standard output; text is what was sent, or NULL. 0 or -1
 * (memory). */
int ctl_json_result(const diffuse_result *result, const char *text);
int ctl_json_status(const struct diffuse_status *status);
int ctl_json_model(const struct diffuse_model *model);
int ctl_json_books(const struct diffuse_books *books); /* one row of streams */
int ctl_json_tune(const struct diffuse_tune_status *status);
int ctl_json_top(const struct diffuse_status *status, const struct diffuse_tune_status *tune,
                 const struct top_facts *facts);

#endif
