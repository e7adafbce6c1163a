/* limits.h - every limit that an outsider can meet, with the reason for its value. */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

#define LIMIT_STREAM_BYTES  255u           /* a stream name; fits one length byte */
#define LIMIT_MESSAGE_BYTES (1024u * 1024) /* largest max_message that can be configured */
#define LIMIT_TOKENS        65536u         /* largest max_length that can be configured */
#define LIMIT_QUEUE         65536u         /* samples accepted and not yet answered */
#define LIMIT_BATCH         1024u          /* samples in one forward pass */
#define LIMIT_WORKERS       64u            /* compute threads */
#define LIMIT_PUBLISHERS    64u            /* publishers that ingest may connect to */
#define LIMIT_ENDPOINT      107u           /* bytes of an ipc path: sockaddr_un, less its NUL */
#define LIMIT_GAP           1048576u /* numbers missing on a stream; more is a new beginning */
#define LIMIT_REASON_BYTES  512u     /* one line for a person */
#define LIMIT_KEYS          1024u    /* CURVE keys that are let in */
#define LIMIT_PATH_BYTES    511u     /* a file that a request names */
#define LIMIT_PLAN_ROWS     24u      /* rows of the memory plan in a status */
#define LIMIT_PLAN_DETAIL   160u     /* bytes of one row's explanation, with its NUL */
#define LIMIT_METRICS_BYTES 24576u   /* the text of the metrics, with its NUL */

#define LIMIT_LABELS      4096u    /* classes of a model */
#define LIMIT_LABEL_BYTES 255u     /* one label's name */
#define LIMIT_WIDTH       4096u    /* hidden width d */
#define LIMIT_STEPS       64u      /* diffusion steps T */
#define LIMIT_BRACKETS    32u      /* token ids that open, or close, a bracketed group */
#define LIMIT_VOCAB       1000000u /* pieces of a vocabulary */
#define LIMIT_VOCAB_BYTES                                                                          \
    (32u * 1024 * 1024)               /* text of a vocabulary; read whole before it is checked */
#define LIMIT_NGRAM_ROWS   (1u << 24) /* hashed n-gram rows */
#define LIMIT_NGRAM_ORDER  5u         /* longest hashed n-gram, in tokens */
#define LIMIT_HEADER_BYTES (1024u * 1024) /* JSON header of a checkpoint */
#define LIMIT_PIECE_BYTES  400u /* one vocabulary piece: 100 characters of 4 bytes (BERT's rule) */
#define LIMIT_ROW_BYTES    (64u * 1024 * 1024) /* one row of a data set */

#endif
