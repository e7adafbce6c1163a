/* digest.h - SHA-256 of bytes as they come, as lower-case hex; names a checkpoint by its content.
 */
#ifndef MODEL_BASE_DIGEST_H
#define MODEL_BASE_DIGEST_H

#include <stddef.h>

#define DIGEST_HEX_BYTES 65u /* 64 digits and a NUL */

struct digest {
    _Alignas(8) unsigned char state[128];
};

void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *bytes, size_t n);
void digest_hex(struct digest *d, char ret_hex[DIGEST_HEX_BYTES]); /* ends the digest */

#endif
