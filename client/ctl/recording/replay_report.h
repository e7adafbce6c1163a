/* replay_report.h - what a replay came to, for people and as JSON. */
#ifndef CLIENT_CTL_RECORDING_REPLAY_REPORT_H
#define CLIENT_CTL_RECORDING_REPLAY_REPORT_H

#include "client/ctl/recording/match.h"

struct replay_report {
    struct match match;
    bool compared, interrupted;
    uint64_t messages;   /* sent, with those that nobody answers */
    uint64_t skipped;    /* feedback, and what was too long to be recorded */
    uint64_t unreadable; /* recorded labels that cannot be read */
    char model_then[256], model_now[256];
    char note[512]; /* about the file's end, or "" */
};

/* Print it: the result on standard output, notes on standard error. True when something was not as
 * it should be. */
bool replay_report(const struct replay_report *r, bool json);

#endif
