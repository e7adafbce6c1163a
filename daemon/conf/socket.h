/* socket.h - which sockets there are, by their place in every table about them. */
#ifndef DAEMON_CONF_SOCKET_H
#define DAEMON_CONF_SOCKET_H

enum door { DOOR_INGEST, DOOR_PUSH, DOOR_LABELS, DOOR_CONTROL, DOORS };

#endif
