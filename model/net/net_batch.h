/* net_batch.h - the sequences of one pass. They are ragged: laid end to end without padding. */
#ifndef MODEL_NET_NET_BATCH_H
#define MODEL_NET_NET_BATCH_H

#include <stdint.h>

struct net_batch {
    const uint32_t *ids; /* (N) each below config.vocab: the caller has checked */
    const uint32_t
        *start; /* (B+1) sequence b is ids[start[b]] .. ids[start[b+1]-1]; none is empty */
    uint32_t n; /* B */
};

#endif
