/* file_list.h - the text files of a folder, in an order that is the same everywhere. */
#ifndef MODEL_DATA_FILE_LIST_H
#define MODEL_DATA_FILE_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct file_list_item {
    char *name;  /* without .gz; gzfile_open finds either */
    uint64_t id; /* the digits it begins with; UINT64_MAX without */
};

struct file_list {                /* {0} is empty */
    struct file_list_item *items; /* by id, then by name */
    size_t n, cap;
    uint64_t bytes; /* of all the files, as stored */
};

/* The regular files NAME.txt and NAME.txt.gz of a folder; hidden ones and all others are passed
 * over. Errors: NOTFOUND, IO, NOMEM; the list is empty then. */
DIFFUSE_MUST_CHECK diffuse_err file_list_read(const char *folder, struct file_list *ret_list,
                                              struct reason *why);
void file_list_done(struct file_list *l);

#endif
