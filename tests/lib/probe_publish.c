/* probe_publish.c - probe_publish ENDPOINT N: publish N samples in a loop, each waiting for room.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/diffuse.h"

enum { WAIT_MS = 60000 };

int main(int argc, char **argv) {
    struct diffuse_options o = {.size = sizeof o, .queue = 8};
    struct diffuse_sample s = {.size = sizeof s, .text = "a row of the log", .text_len = 16};
    diffuse_client *client;
    unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (n == 0) {
        fprintf(stderr, "usage: %s ENDPOINT N\n", argv[0]);
        return 2;
    }
    o.endpoint = argv[1];
    if (diffuse_client_new(&o, &client))
        return 1;
    for (unsigned long i = 0; i < n; i++)
        if (diffuse_publish(client, &s, WAIT_MS)) {
            fprintf(stderr, "sample %lu of %lu: %s\n", i, n, diffuse_why(client));
            diffuse_client_free(client);
            return 1;
        }
    printf("%lu published\n", n);
    diffuse_client_free(client);
    return 0;
}
