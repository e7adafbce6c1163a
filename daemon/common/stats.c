#include "daemon/common/stats.h"

#include <stddef.h>

const char *stats_name(enum stats_counter counter) {
    static const char *const names[STATS_N] = {
#define STATS_ITEM(name, help) #name,
        STATS_COUNTERS(STATS_ITEM)
#undef STATS_ITEM
    };
    return names[counter];
}

uint64_t stats_edge_ns(size_t i) {
    static const uint64_t us[STATS_EDGES] = {50,     100,     250,     500,     1000,   2500,
                                             5000,   10000,   25000,   50000,   100000, 250000,
                                             500000, 1000000, 2500000, 10000000};
    return us[i] * 1000u;
}

void stats_time(struct stats *s, enum stats_span span, uint64_t ns) {
    size_t i = 0;
    while (i < STATS_EDGES && ns > stats_edge_ns(i))
        i++;
    s->span[span].bucket[i]++;
    s->span[span].sum_ns += ns;
}

void stats_refused(struct stats *s, diffuse_err err) {
    s->counter[STATS_refused]++;
    if ((unsigned)err < STATS_ERRORS)
        s->error[(unsigned)err]++;
}

/* Values below 2^SUB_BITS have a bucket each; above, the leading bits choose it. */
static size_t bucket_of(uint64_t ns) {
    if (ns >= (uint64_t)1 << STATS_TOP_BITS)
        return STATS_BUCKETS - 1;
    if (ns < (uint64_t)1 << STATS_SUB_BITS)
        return (size_t)ns;
    unsigned top = 63u - (unsigned)__builtin_clzll(ns);
    unsigned shift = top - STATS_SUB_BITS;
    return ((size_t)(shift + 1) << STATS_SUB_BITS) +
           (size_t)((ns >> shift) - (1u << STATS_SUB_BITS));
}

/* Largest value of a bucket. */
static uint64_t bucket_end(size_t bucket) {
    if (bucket < (size_t)1 << STATS_SUB_BITS)
        return bucket;
    unsigned shift = (unsigned)(bucket >> STATS_SUB_BITS) - 1u;
    uint64_t lead = (bucket & ((1u << STATS_SUB_BITS) - 1u)) + (1u << STATS_SUB_BITS);
    return ((lead + 1) << shift) - 1;
}

void stats_latency(struct stats *s, uint64_t ns) {
    s->bucket[bucket_of(ns)]++;
    s->samples++;
    if (ns > s->max_ns)
        s->max_ns = ns;
}

uint64_t stats_quantile(const struct stats *s, double q) {
    if (s->samples == 0)
        return 0;
    double exact = q * (double)s->samples;
    uint64_t rank = (uint64_t)exact;
    rank += (double)rank < exact || rank == 0; /* rounded up, at least the first */
    uint64_t seen = 0;
    for (size_t i = 0; i + 1 < STATS_BUCKETS; i++) {
        seen += s->bucket[i];
        if (seen >= rank)
            return bucket_end(i) < s->max_ns ? bucket_end(i) : s->max_ns;
    }
    return s->max_ns;
}
