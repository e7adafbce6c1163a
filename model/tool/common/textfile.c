#include "model/tool/common/textfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK     "\xef\xbb\xbf" /* a byte order mark */
#define MARK_LEN (sizeof MARK - 1)

diffuse_err textfile_read(const char *path, char **ret_bytes, size_t *ret_len, struct reason *why) {
    FILE *f = fopen(path, "re");
    char *bytes = NULL;
    size_t cap = 0;
    ssize_t len = -1;

    if (f) {
        len = getdelim(&bytes, &cap, EOF, f);
        fclose(f);
    }
    if (len < 0) {
        free(bytes);
        return reason_set(why, DIFFUSE_IO, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (len >= (ssize_t)MARK_LEN && memcmp(bytes, MARK, MARK_LEN) == 0) {
        len -= (ssize_t)MARK_LEN;
        memmove(bytes, bytes + MARK_LEN, (size_t)len + 1);
    }
    *ret_bytes = bytes;
    *ret_len = (size_t)len;
    return DIFFUSE_OK;
}
