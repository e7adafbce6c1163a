/* ckpt_meta.h - what a checkpoint says about its model, and the metadata strings that say it. */
#ifndef MODEL_CKPT_CKPT_META_H
#define MODEL_CKPT_CKPT_META_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/base/digest.h"
#include "model/net/config.h"
#include "model/text/tokenize.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define CKPT_META_FORMAT  "diffused"
#define CKPT_META_VERSION 1u

struct ckpt_meta {
    struct net_config config;
    json_t *labels; /* array of config.labels names, each checked; owned */
    bool has_tokenizer;
    enum tokenizer_kind tokenizer; /* when has_tokenizer */
    float temperature;             /* 1 where the strings do not say */
    uint32_t max_length;
    float wide_unit;               /* of a wide part's importances */
    char id[DIGEST_HEX_BYTES];     /* "" while not known */
    char parent[DIGEST_HEX_BYTES]; /* "" for none */
    char *provenance;              /* JSON object as text; owned */
};

/* Is this our metadata? false: a bare export. Damage that merely hides the format key is CORRUPT.
 */
DIFFUSE_MUST_CHECK diffuse_err ckpt_meta_is_ours(const json_t *strings, bool *ret_ours,
                                                 struct reason *why);

/* strings is an object whose values are strings. Errors: CORRUPT naming the key, UNSUPPORTED
 * (format_version of a later release), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_meta_parse(const json_t *strings, struct ckpt_meta *ret_meta,
                                               struct reason *why);

/* The strings of m, all but the id. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_meta_make(const struct ckpt_meta *m, json_t **ret_strings,
                                              struct reason *why);

/* Give the memory back. Fine with a zeroed m. */
void ckpt_meta_done(struct ckpt_meta *m);

#endif
