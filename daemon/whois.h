/* whois.h - who is at the other end of a connection, for a line in the log. Threads: any. */
#ifndef DAEMON_WHOIS_H
#define DAEMON_WHOIS_H

#define WHOIS_BYTES 72u

/* "process 812" of a socket file, "10.0.0.7:41234" of TCP, "somebody" where neither is known. */
void whois_say(int fd, char ret_text[WHOIS_BYTES]);

#endif
