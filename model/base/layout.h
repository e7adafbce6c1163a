/* layout.h - what lies where in an arena: one walk either counts the bytes or takes them, so that
 * the two cannot differ. Threads: as the arena. */
#ifndef MODEL_BASE_LAYOUT_H
#define MODEL_BASE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "model/base/arena.h"

struct layout {
    struct arena *arena; /* NULL: count only */
    size_t bytes;        /* of all rooms so far */
    bool failed;         /* the arena was full */
};

/* Room for count items of size bytes; NULL when only counted, or when the arena is full. */
void *layout_room(struct layout *l, size_t count, size_t size);

#endif
