/* verb_input.c - standard input by lines; see verb.h.
 *
 * Not getline(3): its buffer hides whether a line is there, and between two lines there are answers
 * to be read.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/verb.h"
#include "proto/standard.h"

enum { FIRST_SIZE = 65536 };

/* The newline in what is buffered, from `from` on. */
static char *newline(const struct verb_input *in, size_t from) {
    return from < in->end ? memchr(in->buffer + from, '\n', in->end - from) : NULL;
}

bool verb_input_ready(const struct verb_input *in) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    return in->over || newline(in, in->begin) || poll(&input, 1, 0) != 0;
}

/* Read more behind what is there. False at the end, after a signal, an error, without memory. */
static bool more(struct verb_input *in) {
    ssize_t n;

    if (in->begin > 0) {
        memmove(in->buffer, in->buffer + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    if (in->end + 1 >= in->size) {
        size_t size = in->size ? 2 * in->size : FIRST_SIZE;
        char *larger = realloc(in->buffer, size);

        if (!larger) {
            in->error = ENOMEM;
            return false;
        }
        in->buffer = larger;
        in->size = size;
    }
    n = standard_read(in->buffer + in->end, in->size - in->end - 1); /* room for a NUL */
    if (n == 0)
        in->over = true;
    if (n < 0 && errno != EINTR)
        in->error = errno;
    if (n <= 0)
        return false;
    in->end += (size_t)n;
    return true;
}

long verb_input_line(struct verb_input *in, const char **ret_line) {
    char *stop, *line;
    size_t seen = 0; /* bytes of this line without a newline */

    while (!(stop = newline(in, in->begin + seen))) {
        seen = in->end - in->begin;
        if (!in->over && more(in))
            continue;
        if (!in->over || seen == 0)
            return -1;
        stop = in->buffer + in->end; /* the last line lacks its newline */
        break;
    }
    line = in->buffer + in->begin;
    in->begin = (size_t)(stop - in->buffer) + (stop < in->buffer + in->end);
    if (stop > line && stop[-1] == '\r')
        stop--;
    *stop = '\0';
    if (!in->begun && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    in->begun = true;
    *ret_line = line;
    in->lines++;
    return stop - line;
}

int verb_input_done(struct verb_input *in) {
    free(in->buffer);
    in->buffer = NULL;
    if (in->error == 0)
        return VERB_DONE;
    fprintf(stderr, "diffusectl: standard input: %s; what came behind line %llu is not read\n",
            strerror(in->error), in->lines);
    return VERB_FAILED;
}
