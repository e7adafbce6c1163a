/* stream_page.h - the books of streams as a page of a reply. Pure. Threads: the loop thread. */
#ifndef DAEMON_REPORT_STREAM_PAGE_H
#define DAEMON_REPORT_STREAM_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/path/stream.h"
#include "proto/diffuse_err.h"
#include "proto/msgmem.h"

#include "diffused.pb-c.h"

/* No StreamBooks packs to more bytes, its frame included. */
#define STREAM_PAGE_ROW_BYTES (LIMIT_STREAM_BYTES + 128u)

/* The streams that begin with the request's prefix, from its row on, as far as they pack into
 * room bytes; what the page points to is in rows or in the table. Errors: TOOBIG (our mistake). */
DIFFUSE_MUST_CHECK diffuse_err stream_page_page(const struct stream_table *t,
                                                const Diffused__V1__StreamsRequest *asked,
                                                struct msgmem *rows, size_t room,
                                                Diffused__V1__Streams *ret_page);

#endif
