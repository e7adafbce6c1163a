#include "daemon/path/token_ids.h"

#include <inttypes.h>

diffuse_err token_ids_check(const Diffused__V1__Tokens *tokens, uint32_t vocab,
                            struct reason *why) {
    for (size_t i = 0; i < tokens->n_id; i++) {
        if (tokens->id[i] >= vocab)
            return reason_set(why, DIFFUSE_BADTOKEN,
                              "token %zu is %" PRIu32 "; the vocabulary has ids 0 to %" PRIu32, i,
                              tokens->id[i], vocab - 1);
    }
    return DIFFUSE_OK;
}
