/* json_guard.h - keeps a hostile JSON text from growing in memory: a parsed value takes a hundred
 * bytes, a comma one. Looked at before the text goes to the parser. */
#ifndef MODEL_CKPT_FILE_JSON_GUARD_H
#define MODEL_CKPT_FILE_JSON_GUARD_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct json_guard {
    unsigned depth; /* arrays and objects within one another */
    size_t values;  /* members, elements, arrays and objects in all */
};

/* Parse text within the limits: one array or object, no duplicate keys. what names the text in the
 * reason. Errors: CORRUPT (over a limit, or not JSON: where and why), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err json_guard_parse(const char *text, size_t len,
                                                struct json_guard limit, const char *what,
                                                json_t **ret_json, struct reason *why);

#endif
