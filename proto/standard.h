/* standard.h - standard input, output and error of a program, as it may find them.
 *
 * For programs alone; libraries read and print nothing.
 */
#ifndef PROTO_STANDARD_H
#define PROTO_STANDARD_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* First of all in main: descriptors 0 to 2 that are closed become /dev/null, so that no file takes
 * their place; and when the program exits, standard output that did not take everything is said,
 * and makes the status 1. */
void standard_begin(void);

/* False once standard output has failed: whoever prints more prints it for nobody. */
bool standard_output_ok(void);

/* What standard output did not take was said: it is dropped, and not said again at the exit. */
void standard_drop(void);

/* read(2) of standard input, waiting where a descriptor that does not block has nothing yet. -1
 * with errno on an error, EINTR after a signal among them. */
ssize_t standard_read(void *buffer, size_t size);

/* A stream over standard_read, for getline(3); close it with fclose. NULL without memory. */
FILE *standard_lines(void);

#endif
