/* client.c - a program as somebody writes it who has libdiffuse-dev: text in, label out. */
#include <diffuse.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    diffuse_client *client;
    diffuse_result *result;
    int status = 1;

    if (argc != 2 || diffuse_client_new(NULL, &client) != DIFFUSE_OK)
        return 2;
    if (diffuse_classify(client, argv[1], strlen(argv[1]), 10000, &result) == DIFFUSE_OK) {
        puts(diffuse_result_label(result));
        diffuse_result_free(result);
        status = 0;
    } else {
        fprintf(stderr, "%s\n", diffuse_why(client));
    }
    diffuse_client_free(client);
    return status;
}
