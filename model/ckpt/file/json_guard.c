#include "model/ckpt/file/json_guard.h"

#include <stdbool.h>

/* Largest nesting and number of values of a text, whether or not it is JSON. */
static struct json_guard measure(const char *text, size_t len) {
    struct json_guard seen = {0, 1};
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            seen.values++;
            if (++depth > seen.depth)
                seen.depth = depth;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        } else if (c == ',') {
            seen.values++;
        }
    }
    return seen;
}

diffuse_err json_guard_parse(const char *text, size_t len, struct json_guard limit,
                             const char *what, json_t **ret_json, struct reason *why) {
    struct json_guard seen = measure(text, len);
    json_error_t error;
    json_t *json;

    if (seen.depth > limit.depth)
        return reason_set(why, DIFFUSE_CORRUPT, "%s: nested %u deep, at most %u expected", what,
                          seen.depth, limit.depth);
    if (seen.values > limit.values)
        return reason_set(why, DIFFUSE_CORRUPT, "%s: %zu values, at most %zu expected", what,
                          seen.values, limit.values);
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (json) {
        *ret_json = json;
        return DIFFUSE_OK;
    }
    if (json_error_code(&error) == json_error_out_of_memory)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", what);
    return reason_set(why, DIFFUSE_CORRUPT, "%s: not valid JSON at byte %d: %.200s", what,
                      error.position, error.text);
}
