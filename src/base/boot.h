/* SPDX-License-Identifier: MIT */
/* Which boot of the machine this is: the monotonic clock of another one tells nothing here. */
#ifndef TOCSIN_BASE_BOOT_H
#define TOCSIN_BASE_BOOT_H

#define BOOT_ID_SIZE 40

/* The kernel's id of this boot; "" where a sandbox hides it. The rest is filled with zeroes. */
void boot_id_read(char ret[static BOOT_ID_SIZE]);

#endif
