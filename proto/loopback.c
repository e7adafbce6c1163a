#include "proto/loopback.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_loopback(const char *host, size_t len) {
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, text, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(text, "localhost") == 0 || strcmp(text, "lo") == 0;
}

bool loopback_only(const char *url) {
    if (strncmp(url, "ipc://", 6) == 0)
        return true;
    if (strncmp(url, "tcp://", 6) != 0)
        return false;
    const char *host = url + 6;
    const char *from = strchr(host, ';'); /* SOURCE;DESTINATION, where somebody connects */
    if (from)
        host = from + 1;
    const char *colon = strrchr(host, ':');
    return colon && is_loopback(host, (size_t)(colon - host));
}
