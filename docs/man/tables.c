/* tables.c - the tables that the programs are compiled from, as rows for interface.sh: keys of the
 * configuration, errors, counters, metrics, kinds of log lines. Fields are apart by tabs. */
#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/stats.h"
#include "daemon/conf/conf.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"

/* 65536 as 64K, 1000 as 1000 */
static void print_size(uint64_t bytes) {
    static const char unit[] = "KMG";
    size_t i = 0;

    for (; i < 3 && bytes >= 1024 && bytes % 1024 == 0; i++)
        bytes /= 1024;
    printf("%" PRIu64, bytes);
    if (i > 0)
        putchar(unit[i - 1]);
}

static void print_span(uint64_t ns) {
    if (ns % 60000000000u == 0)
        printf("%" PRIu64 "min", ns / 60000000000u);
    else if (ns % 1000000000u == 0)
        printf("%" PRIu64 "s", ns / 1000000000u);
    else
        printf("%" PRIu64 "ms", ns / 1000000u);
}

/* "a b c" as a, b or c */
static void print_choices(const char *choices) {
    for (; *choices; choices++) {
        if (*choices != ' ')
            putchar(*choices);
        else
            fputs(strchr(choices + 1, ' ') ? ", " : " or ", stdout);
    }
}

/* What a key takes, in words. */
static void print_accepts(const char *type, uint64_t min, uint64_t max, const char *choices) {
    if (choices) {
        print_choices(choices);
    } else if (strcmp(type, "BOOL") == 0) {
        printf("yes or no");
    } else if (strcmp(type, "SIZE") == 0) {
        printf("bytes, from ");
        print_size(min);
        printf(" to ");
        print_size(max);
    } else if (strcmp(type, "SPAN") == 0) {
        printf("a time, from ");
        print_span(min);
        printf(" to ");
        print_span(max);
    } else if (strcmp(type, "MODE") == 0) {
        printf("octal, from 0%" PRIo64 " to 0%" PRIo64, min, max);
    } else if (strcmp(type, "UINT") == 0) {
        printf("a whole number, from %" PRIu64 " to %" PRIu64, min, max);
    } else if (strcmp(type, "LIST") == 0) {
        printf("at most %" PRIu64 " items, apart by spaces; may be given several times", max);
    } else if (strcmp(type, "TEXT") == 0) {
        printf("at most %" PRIu64 " bytes", max);
    } else {
        printf("%s, from %" PRIu64 " to %" PRIu64, type, min, max);
    }
}

static const char *or_nothing(const char *text) {
    return text ? text : "";
}

static void print_keys(void) {
#define CONF(key, type, preset, min, max, choices, when, help)                                     \
    printf("key\t%s\t%s\t%s\t", #key, #type, preset);                                              \
    print_accepts(#type, min, max, choices);                                                       \
    printf("\t%s\t%s\t%s\n", or_nothing(choices), #when, help);
#include "daemon/conf/conf.def"
#undef CONF
}

static void print_lower(const char *word) {
    for (; *word; word++)
        putchar(tolower((unsigned char)*word));
}

static void print_log_lines(void) {
#define EVENT(name, level, id, subject, explanation)                                               \
    printf("log\t%s\t", #name);                                                                    \
    print_lower(#level);                                                                           \
    printf("\t%s\t%s\t%s\n", id, subject, explanation);
#include "daemon/common/event.def"
#undef EVENT
}

static void print_metrics(void) {
#define EXPO(name, type, unit, labels, help)                                                       \
    printf("metric\t%s\t", #name);                                                                 \
    print_lower(#type);                                                                            \
    printf("\t%s\t%s\n", labels, help);
#include "daemon/report/metrics.def"
#undef EXPO
}

int main(void) {
    print_keys();
    print_log_lines();
    print_metrics();
#define PRINT_ERROR(name, number, text) printf("error\t%s\t%d\t%s\n", #name, number, text);
    DIFFUSE_ERR_LIST(PRINT_ERROR)
#define PRINT_COUNTER(name, help) printf("counter\t%s\t%s\n", #name, help);
    STATS_COUNTERS(PRINT_COUNTER)
    return fflush(stdout) == 0 ? 0 : 1;
}
