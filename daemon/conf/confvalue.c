#include "daemon/conf/confvalue.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/nearest.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, so that formatting finds the shortest text. */
static const struct unit size_units[] = {
    {"G", 1u << 30}, {"M", 1u << 20}, {"K", 1u << 10}, {"", 1}};
static const struct unit span_units[] = {
    {"min", 60000000000u}, {"s", 1000000000u}, {"ms", 1000000u}, {"us", 1000u}, {"ns", 1}};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Digits of base at *text, which is moved behind them. False: none, or too large. */
static bool take_number(const char **text, unsigned base, uint64_t *ret_value) {
    const char *p = *text;
    uint64_t v = 0;
    for (; *p >= '0' && *p < (char)('0' + base); p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (v > (UINT64_MAX - digit) / base)
            return false;
        v = v * base + digit;
    }
    if (p == *text)
        return false;
    *text = p;
    *ret_value = v;
    return true;
}

static bool parse_with_units(const struct unit *units, size_t n, const char *text, bool unit_needed,
                             uint64_t *ret_value) {
    uint64_t v;
    if (!take_number(&text, 10, &v))
        return false;
    while (*text == ' ')
        text++;
    if (v == 0 && *text == '\0') {
        *ret_value = 0;
        return true;
    }
    if (unit_needed && *text == '\0')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, units[i].name) == 0 && v <= UINT64_MAX / units[i].factor) {
            *ret_value = v * units[i].factor;
            return true;
        }
    }
    return false;
}

static bool parse_bool(const char *text, uint64_t *ret_value) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_value = i % 2;
            return true;
        }
    }
    return false;
}

static bool parse_enum(const char *choices, const char *text, uint64_t *ret_value) {
    size_t len = strlen(text);
    uint64_t place = 0;
    for (const char *p = choices; *p; place++) {
        size_t n = strcspn(p, " ");
        if (n == len && memcmp(p, text, n) == 0) {
            *ret_value = place;
            return true;
        }
        p += n;
        p += *p == ' ';
    }
    return false;
}

/* The choice that text was likely meant to be, or "". */
static void nearest_choice(const char *choices, const char *text, char *ret_near) {
    char word[NEAREST_NAME_BYTES + 1];
    struct nearest near = nearest_begin(text);
    for (const char *p = choices; *p; p += *p == ' ') {
        size_t n = strcspn(p, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        near.best = NULL;
        nearest_try(&near, word);
        if (near.best)
            memcpy(ret_near, word, sizeof word);
        p += n;
    }
}

static bool parse_whole(const char *text, unsigned base, uint64_t *ret_value) {
    uint64_t v;
    if (!take_number(&text, base, &v) || *text)
        return false;
    *ret_value = v;
    return true;
}

diffuse_err confvalue_parse(enum confvalue_type type, const char *choices, const char *text,
                            uint64_t *ret_value, struct reason *why) {
    bool ok = false;
    const char *expected = "a word";
    switch (type) {
    case CONFVALUE_UINT:
        ok = parse_whole(text, 10, ret_value);
        expected = "a whole number";
        break;
    case CONFVALUE_SIZE:
        ok = parse_with_units(size_units, COUNT(size_units), text, false, ret_value);
        expected = "bytes, such as 4096, 64K, 32M or 1G";
        break;
    case CONFVALUE_SPAN:
        ok = parse_with_units(span_units, COUNT(span_units), text, true, ret_value);
        expected = "a time with its unit, such as 250ms, 5s or 2min";
        break;
    case CONFVALUE_MODE:
        ok = parse_whole(text, 8, ret_value);
        expected = "permissions in octal, such as 0660";
        break;
    case CONFVALUE_BOOL:
        ok = parse_bool(text, ret_value);
        expected = "yes or no";
        break;
    case CONFVALUE_ENUM:
        ok = parse_enum(choices, text, ret_value);
        expected = choices;
        break;
    case CONFVALUE_TEXT:
    case CONFVALUE_LIST:
        break;
    }
    if (ok)
        return DIFFUSE_OK;
    char near[NEAREST_NAME_BYTES + 1] = "";
    if (type == CONFVALUE_ENUM)
        nearest_choice(choices, text, near);
    return reason_set(why, DIFFUSE_INVAL, "'%.64s' is not understood; expected %s%s%s%s%s", text,
                      type == CONFVALUE_ENUM ? "one of: " : "", expected,
                      *near ? "; did you mean '" : "", near, *near ? "'?" : "");
}

static void format_with_units(const struct unit *units, size_t n, uint64_t value, char *ret_text,
                              size_t cap) {
    size_t i = 0;
    while (i + 1 < n && (value == 0 || value % units[i].factor != 0))
        i++;
    snprintf(ret_text, cap, "%" PRIu64 "%s", value / units[i].factor,
             value == 0 ? "" : units[i].name);
}

static void format_enum(const char *choices, uint64_t value, char *ret_text, size_t cap) {
    const char *p = choices;
    for (; value > 0 && *p; value--) {
        p += strcspn(p, " ");
        p += *p == ' ';
    }
    snprintf(ret_text, cap, "%.*s", (int)strcspn(p, " "), p);
}

void confvalue_format(enum confvalue_type type, const char *choices, uint64_t value, char *ret_text,
                      size_t cap) {
    switch (type) {
    case CONFVALUE_SIZE:
        format_with_units(size_units, COUNT(size_units), value, ret_text, cap);
        return;
    case CONFVALUE_SPAN:
        format_with_units(span_units, COUNT(span_units), value, ret_text, cap);
        return;
    case CONFVALUE_MODE:
        snprintf(ret_text, cap, "%04" PRIo64, value);
        return;
    case CONFVALUE_BOOL:
        snprintf(ret_text, cap, "%s", value ? "yes" : "no");
        return;
    case CONFVALUE_ENUM:
        format_enum(choices, value, ret_text, cap);
        return;
    case CONFVALUE_UINT:
    case CONFVALUE_TEXT:
    case CONFVALUE_LIST:
        break;
    }
    snprintf(ret_text, cap, "%" PRIu64, value);
}
