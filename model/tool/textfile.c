/* textfile.c - see textfile.h. */
#include "model/tool/textfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    *ret_bytes = bytes;
    *ret_len = (size_t)len;
    return DIFFUSE_OK;
}
