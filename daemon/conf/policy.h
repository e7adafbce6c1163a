/* policy.h - when a running segment is labelled, over which tokens, and how sure a label must be.
 *
 * As text, words at commas, all optional:
 *
 *    every=64               a label with the piece that reaches the next multiple of 64 tokens
 *    change, change=0.1     only when it differs from the one announced before; from one label to
 *                           another its probability must be larger by 0.1, and to "abstained" the
 *                           confidence must be below min_confidence by 0.1 (hysteresis)
 *    end                    only with the piece that ends the segment, or fills a window
 *    min_confidence=0.6     below that the label is marked `abstained`, also of whole samples
 *    label=NAME             min_confidence is of this label alone, and comes before that of all
 *    window=256             tumbling: the text begins anew every 256 tokens
 *    window=256/64          sliding: every 64 tokens, the last 256 of them
 *
 * No word: a label with every piece, over all tokens since the segment began. Pure; any thread.
 */
#ifndef DAEMON_CONF_POLICY_H
#define DAEMON_CONF_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

#include "diffused.pb-c.h"

struct policy {
    uint32_t every; /* tokens; 0: with each piece */
    bool change;
    float margin; /* 0 to 1 */
    bool end;
    float min_confidence; /* 0 to 1 */
    uint32_t window;      /* tokens; 0: none */
    uint32_t step;        /* tokens; 0: the window tumbles */
};

/* A policy for all streams that begin with a prefix. */
struct policy_rule {
    char prefix[LIMIT_STREAM_BYTES + 1];
    size_t prefix_len;                 /* 0: every stream */
    char label[LIMIT_LABEL_BYTES + 1]; /* "": all; else only min_confidence counts, and for it */
    struct policy policy;
};

/* Do its words go together? Errors: INVAL, the reason naming them. */
DIFFUSE_MUST_CHECK diffuse_err policy_check(const struct policy *p, struct reason *why);

/* "PREFIX:WORD,WORD..."; the prefix ends at the last colon. Errors: INVAL with a reason. */
DIFFUSE_MUST_CHECK diffuse_err policy_parse(const char *text, struct policy_rule *ret_rule,
                                            struct reason *why);

/* As it came with a sample. Errors: INVAL with a reason. */
DIFFUSE_MUST_CHECK diffuse_err policy_read(const Diffused__V1__Policy *said,
                                           struct policy *ret_policy, struct reason *why);

/* Of n rules the policy of that with the longest prefix of a stream; none fits: the one that has no
 * word. */
struct policy policy_find(const struct policy_rule *rules, size_t n, const char *stream,
                          size_t len);

/* The least confidence that rules ask of one label by its name, that with the longest prefix;
 * false: none names it. */
bool policy_least(const struct policy_rule *rules, size_t n, const char *stream, size_t len,
                  const char *label, float *ret_least);

#endif
