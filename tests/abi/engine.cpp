// SPDX-License-Identifier: MIT
//
// An engine in C++20 that plays one session to the plugin, and trades without it where there is
// none.
//
//     engine PLUGIN SECTION.KEY=VALUE...
#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tocsin_plugin.h"

namespace
{
static_assert(std::is_standard_layout_v<tocsin_plugin>);
static_assert(std::is_trivially_copyable_v<tocsin_alert_event>);
static_assert(std::is_same_v<decltype(&tocsin_plugin_v1), tocsin_plugin_entry *>);

constexpr auto for_ever = std::numeric_limits<std::uint64_t>::max();

constexpr tocsin_str str(std::string_view text)
{
	return { text.data(), text.size() };
}

template <typename Event> constexpr tocsin_event head(std::uint32_t kind)
{
	return { .size = sizeof(Event), .kind = kind, .wall_ns = 0 };
}

struct unload {
	void operator()(void *library) const
	{
		dlclose(library);
	}
};

// The notifier's part of the engine: an instance that stops and goes with it.
class notifier
{
      public:
	notifier(const char *path, std::span<char *> settings)
	    : library_{ dlopen(path, RTLD_NOW | RTLD_LOCAL) }
	{
		if (!library_)
			throw std::string{ dlerror() };
		auto entry = reinterpret_cast<tocsin_plugin_entry *>(
			dlsym(library_.get(), TOCSIN_PLUGIN_ENTRY));
		if (!entry)
			throw std::string{ "it has no " TOCSIN_PLUGIN_ENTRY };
		tocsin_negotiation n{ .size = sizeof n,
				      .abi_min = 0,
				      .abi_max = TOCSIN_ABI_MINOR,
				      .abi = 0,
				      .plugin = nullptr };
		if (entry(&n) != TOCSIN_OK)
			throw "it speaks minor " + std::to_string(n.abi) + " only";
		plugin_ = n.plugin;
		host_.abi = n.abi;
		create(settings);
	}

	~notifier()
	{
		plugin_->destroy(instance_);
	}

	notifier(const notifier &) = delete;
	notifier &operator=(const notifier &) = delete;

	void session(std::uint32_t kind, std::string_view id, std::string_view status)
	{
		const std::array kv{ tocsin_kv{ str("strategy"), str("ma_cross") } };
		const tocsin_session_event e{ .head = head<tocsin_session_event>(kind),
					      .session_id = str(id),
					      .status = str(status),
					      .kv = kv.data(),
					      .n_kv = kv.size() };
		check(plugin_->on_session(instance_, &e), "on_session");
	}

	void health(std::uint32_t kind, std::string_view source, double value = 0,
		    double limit = std::numeric_limits<double>::quiet_NaN())
	{
		const tocsin_health_event e{ .head = head<tocsin_health_event>(kind),
					     .source = str(source),
					     .session_id = {},
					     .value = value,
					     .limit = limit,
					     .kv = nullptr,
					     .n_kv = 0 };
		check(plugin_->on_health(instance_, &e), "on_health");
	}

	std::uint64_t raise(std::string_view code, std::string_view message, std::string_view id)
	{
		const tocsin_alert_event e{ .head = head<tocsin_alert_event>(TOCSIN_ALERT_RAISE),
					    .priority = 0,
					    .reserved0 = 0,
					    .code = str(code),
					    .message = str(message),
					    .session_id = str(id),
					    .instance = {},
					    .kv = nullptr,
					    .n_kv = 0 };
		std::uint64_t number = 0;
		check(plugin_->on_alert(instance_, &e, &number), "on_alert");
		return number;
	}

	void delivered()
	{
		check(plugin_->flush(instance_, TOCSIN_FLUSH_DELIVERED, for_ever), "flush");
	}

	std::string snapshot()
	{
		std::string text(1, ' ');
		std::size_t length = 0;
		while (plugin_->snapshot(instance_, text.data(), text.size(), &length) ==
			       TOCSIN_E_ARG &&
		       length > text.size())
			text.resize(length);
		text.resize(length);
		return text;
	}

	tocsin_stats stats()
	{
		tocsin_stats s{};
		s.size = sizeof s;
		check(plugin_->stats(instance_, &s), "stats");
		return s;
	}

	void stop()
	{
		check(plugin_->stop(instance_, for_ever), "stop");
	}

      private:
	static void check(tocsin_rc rc, std::string_view call)
	{
		if (rc != TOCSIN_OK)
			throw std::string{ call } + ": " + std::to_string(rc);
	}

	void create(std::span<char *> settings)
	{
		std::vector<tocsin_kv> options{ { str("config"), str("") } };
		std::array<char, 256> error{};
		for (std::string_view setting : settings) {
			const auto equals = setting.find('=');
			options.push_back({ str(setting.substr(0, equals)),
					    str(setting.substr(equals + 1)) });
		}
		if (plugin_->create(&host_, options.data(), options.size(), error.data(),
				    error.size(), &instance_) != TOCSIN_OK)
			throw std::string{ error.data() };
		check(plugin_->start(instance_), "start");
	}

	tocsin_host host_{ .size = sizeof host_,
			   .abi = 0,
			   .data = nullptr,
			   .name = "engine.cpp",
			   .version = "1",
			   .log =
				   [](const tocsin_host *, std::uint32_t level, const char *text,
				      std::size_t length) {
					   std::fprintf(stderr, "notifier <%u> %.*s\n", level,
							static_cast<int>(length), text);
				   },
			   .extension = nullptr };
	std::unique_ptr<void, unload> library_;
	const tocsin_plugin *plugin_ = nullptr;
	tocsin_instance *instance_ = nullptr;
};

void play(notifier &n)
{
	n.session(TOCSIN_SESSION_CREATED, "live_cpp", "");
	n.health(TOCSIN_HEALTH_START, "");
	n.health(TOCSIN_HEALTH_FEED_UP, "okx:ETH-USD");
	n.health(TOCSIN_HEALTH_RISK, "drawdown", 0.02, 0.05);
	n.session(TOCSIN_SESSION_STATUS, "live_cpp", "running");
	std::printf("raised %llu\n",
		    static_cast<unsigned long long>(
			    n.raise("RISK_LIMIT_BREACH", "drawdown 6 %, limit 5 %", "live_cpp")));
	n.session(TOCSIN_SESSION_STATUS, "live_cpp", "completed");
	n.session(TOCSIN_SESSION_STATUS, "nobody", "running");
	n.delivered();
	std::printf("%s\n", n.snapshot().c_str());
	const auto s = n.stats();
	std::printf("accepted %llu refused %llu delivered %llu\n",
		    static_cast<unsigned long long>(s.accepted),
		    static_cast<unsigned long long>(s.refused),
		    static_cast<unsigned long long>(s.pages_delivered));
	n.stop();
}
} // namespace

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	std::unique_ptr<notifier> n;
	try {
		n = std::make_unique<notifier>(argv[1], std::span{ argv + 2, argv + argc });
	} catch (const std::string &why) {
		std::fprintf(stderr, "going on without %s: %s\n", argv[1], why.c_str());
	}
	std::puts("trading");
	try {
		if (n)
			play(*n);
	} catch (const std::string &why) {
		std::fprintf(stderr, "%s\n", why.c_str());
		return 1;
	}
	return 0;
}
