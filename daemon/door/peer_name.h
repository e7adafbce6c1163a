/* peer_name.h - who is at the other end of a connection, for a line in the log. Threads: any. */
#ifndef DAEMON_DOOR_PEER_NAME_H
#define DAEMON_DOOR_PEER_NAME_H

#define PEER_NAME_BYTES 72u

/* "process 812" of a socket file, "10.0.0.7:41234" of TCP, "somebody" where neither is known. */
void peer_name_say(int fd, char ret_text[PEER_NAME_BYTES]);

#endif
