/* keyfile.h - the key files of CURVE, as ZeroMQ's own tools write them ("certificates"):
 *
 *     # a comment
 *     metadata
 *         name = "robot7"
 *     curve
 *         public-key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
 *         secret-key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
 *
 * The secret key stands in a file of its own, beside the public one, and no other user may read it.
 * Threads: the caller's.
 */
#ifndef KEYS_KEYFILE_H
#define KEYS_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define KEYFILE_CHARS 40u   /* of a key in Z85 (rfc.zeromq.org/spec/32): 32 bytes */
#define KEYFILE_BYTES 4096u /* of a file at most */

struct keyfile {
    char public_key[KEYFILE_CHARS + 1]; /* "": there is none in the file */
    char secret_key[KEYFILE_CHARS + 1];
};

/* Are these bytes a key? */
bool keyfile_is_key(const char *text, size_t len);

/* Read the text of a file. Errors: INVAL, a key that is none, or is there twice; the reason names
 * the line. */
DIFFUSE_MUST_CHECK diffuse_err keyfile_parse(const char *text, size_t len, struct keyfile *ret_keys,
                                             struct reason *why);

/* SECRET: nobody but its owner may read or write it. TRUSTED: nobody but its owner may write it. In
 * both cases the owner is root or who runs this process. */
enum keyfile_kind { KEYFILE_PUBLIC, KEYFILE_TRUSTED, KEYFILE_SECRET };

/* Open a regular file that may be believed. Errors: NOTFOUND, IO, INVAL (mode or owner); the reason
 * names file and remedy. */
DIFFUSE_MUST_CHECK diffuse_err keyfile_open(const char *path, enum keyfile_kind kind,
                                            FILE **ret_file, struct reason *why);

/* Open and parse; a key of that kind is there. Errors: as both. Wipe what is secret when it is no
 * longer needed. */
DIFFUSE_MUST_CHECK diffuse_err keyfile_read(const char *path, enum keyfile_kind kind,
                                            struct keyfile *ret_keys, struct reason *why);
void keyfile_wipe(struct keyfile *keys);

/* A folder of trusted files: nobody but root and who runs this may put others in their place.
 * Errors: NOTFOUND, INVAL, IO. */
DIFFUSE_MUST_CHECK diffuse_err keyfile_check_folder(const char *path, struct reason *why);

#endif
