#include "daemon/conf/webaddress.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, in_port_t *ret_port) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] || strtoul(text, NULL, 10) > 65535)
        return false;
    *ret_port = htons((uint16_t)strtoul(text, NULL, 10));
    return true;
}

static bool parse(const char *text, union webaddress *a) {
    char host[WEBADDRESS_BYTES];
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    in_port_t port;
    if (len == 0 || len >= sizeof host || !parse_port(colon + 1, &port))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    memset(a, 0, sizeof *a);
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        a->six.sin6_family = AF_INET6;
        a->six.sin6_port = port;
        return inet_pton(AF_INET6, host + 1, &a->six.sin6_addr) == 1;
    }
    a->four.sin_family = AF_INET;
    a->four.sin_port = port;
    return inet_pton(AF_INET, host, &a->four.sin_addr) == 1;
}

static bool is_loopback(const union webaddress *a) {
    if (a->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a->six.sin6_addr);
    return ntohl(a->four.sin_addr.s_addr) >> 24 == 127;
}

diffuse_err webaddress_parse(const char *text, bool beyond, union webaddress *ret,
                             struct reason *why) {
    if (!parse(text, ret))
        return reason_set(why, DIFFUSE_INVAL,
                          "metrics: '%.64s' is not understood; expected ADDRESS:PORT, such as "
                          "127.0.0.1:9464 or [::1]:9464",
                          text);
    if (!beyond && !is_loopback(ret))
        return reason_set(why, DIFFUSE_INVAL,
                          "metrics: %.64s can be reached from other machines, and nobody is asked "
                          "who he is; take 127.0.0.1, or set metrics_beyond_loopback = yes",
                          text);
    return DIFFUSE_OK;
}

void webaddress_show(const union webaddress *a, unsigned port, char *ret_text, size_t cap) {
    char host[INET6_ADDRSTRLEN] = "?";
    bool six = a->any.sa_family == AF_INET6;
    const void *bytes = six ? (const void *)&a->six.sin6_addr : (const void *)&a->four.sin_addr;
    (void)inet_ntop(a->any.sa_family, bytes, host, sizeof host);
    snprintf(ret_text, cap, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", port);
}
