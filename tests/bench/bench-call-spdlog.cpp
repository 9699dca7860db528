/* SPDX-License-Identifier: MIT */
#include "bench-call-others.h"

#include <memory>
#include <string>

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

static std::shared_ptr<spdlog::logger> logger;

bool spdlog_open(const char *folder)
{
	try {
		logger = spdlog::basic_logger_mt<spdlog::async_factory>(
			"bench", std::string(folder) + "/spdlog");
	} catch (const spdlog::spdlog_ex &) {
		return false;
	}
	return true;
}

void spdlog_call(const char *text, size_t len)
{
	logger->critical(spdlog::string_view_t(text, len));
}

void spdlog_close(void)
{
	logger.reset();
	spdlog::shutdown();
}
