/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "base/boot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"

void boot_id_read(char ret[static BOOT_ID_SIZE])
{
	_cleanup_close_ int fd = descriptor_open("/proc/sys/kernel/random/boot_id", O_RDONLY);

	memset(ret, 0, BOOT_ID_SIZE);
	if (fd >= 0 && read(fd, ret, BOOT_ID_SIZE - 1) < 0)
		memset(ret, 0, BOOT_ID_SIZE);
	ret[strcspn(ret, "\n")] = 0;
}
