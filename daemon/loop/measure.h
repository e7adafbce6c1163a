/* measure.h - what every part of the daemon takes, summed up into the memory plan. */
#ifndef DAEMON_LOOP_MEASURE_H
#define DAEMON_LOOP_MEASURE_H

#include "daemon/budget/plan.h"
#include "daemon/conf/conf.h"

/* A plan_measurer (plan.h). With the key tune, the row of tuning stands in the plan before tuning
 * says itself what it takes, so that what fits at the start fits later. */
void measure_plan(struct plan *p, const struct conf *c, const struct plan_facts *facts);

#endif
