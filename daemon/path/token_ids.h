/* token_ids.h - token ids as they came from outside. Pure. */
#ifndef DAEMON_PATH_TOKEN_IDS_H
#define DAEMON_PATH_TOKEN_IDS_H

#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#include "diffused.pb-c.h"

/* Is each below vocab? Errors: BADTOKEN, the reason naming the first that is not. */
DIFFUSE_MUST_CHECK diffuse_err token_ids_check(const Diffused__V1__Tokens *tokens, uint32_t vocab,
                                               struct reason *why);

#endif
