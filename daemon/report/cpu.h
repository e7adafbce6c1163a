/* cpu.h - what diffused --cpu prints: what the processor offers, and how the model would be
 * computed.
 */
#ifndef DAEMON_REPORT_CPU_H
#define DAEMON_REPORT_CPU_H

#include "daemon/conf/conf.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* To stdout. The model's header is read, when a model is configured. Errors: as ckpt_open and
 * loaded_model_shape. */
DIFFUSE_MUST_CHECK diffuse_err cpu_show(const struct conf *c, struct reason *why);

#endif
