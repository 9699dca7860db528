/* SPDX-License-Identifier: MIT */
/*
 * The public header alone: it includes what it needs, can be included again, and keeps what each
 * minor promised. Compiles or not; there is nothing to run.
 */
#include "tocsin_plugin.h"
#include "tocsin_plugin.h"

#include "headers/1.0/layout.h"
