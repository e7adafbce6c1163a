/* top_term.h - the terminal of diffusectl top: taken over for as long as it runs, and given back
 * whatever ends it.
 *
 * Signals come in through a descriptor, so that nothing is done inside a handler: the window's
 * size, a stop (^Z) and its end, and the hang-up and quit that would else leave the terminal as it
 * is. SIGINT and SIGTERM are the caller's.
 */
#ifndef CLIENT_CTL_TOP_TOP_TERM_H
#define CLIENT_CTL_TOP_TOP_TERM_H

#include <stdbool.h>
#include <termios.h>

struct top_term {
    bool page;     /* a terminal that can be written over; else there are only lines */
    bool keys;     /* standard input is one too */
    int signal_fd; /* -1: none */
    unsigned width, height;
    struct termios before;
};

enum top_key { TOP_NOTHING, TOP_REDRAW, TOP_QUIT };

/* Blocks these signals in the calling thread; ZeroMQ's take none. plain: lines, whatever the
 * terminal can do. */
void top_term_open(struct top_term *t, bool plain);
void top_term_close(struct top_term *t);

/* Wait for a key, a signal or fd (-1: none), up to ms; and do what a signal asks. */
enum top_key top_term_wait(struct top_term *t, int fd, int ms);

#endif
