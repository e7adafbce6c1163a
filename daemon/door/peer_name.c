#include "daemon/door/peer_name.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

void peer_name_say(int fd, char ret_text[PEER_NAME_BYTES]) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } a;
    char host[INET6_ADDRSTRLEN];
    struct ucred who;
    socklen_t len = sizeof a, who_len = sizeof who;
    if (getpeername(fd, &a.any, &len) != 0)
        a.any.sa_family = AF_UNSPEC;
    if (a.any.sa_family == AF_INET && inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof host))
        snprintf(ret_text, PEER_NAME_BYTES, "%s:%u", host, ntohs(a.v4.sin_port));
    else if (a.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof host))
        snprintf(ret_text, PEER_NAME_BYTES, "[%s]:%u", host, ntohs(a.v6.sin6_port));
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len) == 0 && who.pid > 0)
        snprintf(ret_text, PEER_NAME_BYTES, "process %d", (int)who.pid);
    else
        snprintf(ret_text, PEER_NAME_BYTES, "somebody");
}
