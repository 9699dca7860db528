/* SPDX-License-Identifier: MIT */
/* The inside of alerts, for what saves and restores it. */
#ifndef TOCSIN_PICTURE_ALERTS_STATE_H
#define TOCSIN_PICTURE_ALERTS_STATE_H

#include "picture/alerts.h"
#include "picture/incidents.h"

struct alerts {
	struct alerts_settings settings;
	char epoch[2 * RECORDER_EPOCH_SIZE + 1];
	alerts_tell *tell;
	void *userdata;
	struct incidents incidents;
	uint64_t raised[4]; /* by priority */
	uint64_t forgotten;
};

#endif
