-- SPDX-License-Identifier: MIT
--
-- An engine whose wrapper is LuaJIT's FFI: it raises, and ends without stop and without destroy.
--
--	luajit wrapper.lua keep|close STATUS DELAY_MS SESSION SECTION.KEY=VALUE...
--
-- close: the collector closes the library's handle before the last alert; keep: it does so while
-- the interpreter ends. TOCSIN_PLUGIN names the plugin, TOCSIN_DECLARATIONS the plugin's header
-- without its directives.
local ffi = require "ffi"
local way, end_status, delay_ms, session = arg[1], tonumber(arg[2]), tonumber(arg[3]), arg[4]

local file = assert(io.open(os.getenv "TOCSIN_DECLARATIONS"))
ffi.cdef(file:read "*a")
ffi.cdef "int poll(void *, unsigned long, int);"
file:close()
local library = ffi.load(os.getenv "TOCSIN_PLUGIN")

local function text(value)
	return { value, #value }
end

local function check(rc, call)
	if rc ~= 0 then
		error(call .. ": " .. rc)
	end
end

local wanted = ffi.new("tocsin_negotiation", { size = ffi.sizeof "tocsin_negotiation" })
check(library.tocsin_plugin_v1(wanted), "tocsin_plugin_v1")
local plugin = wanted.plugin
local host = ffi.new("tocsin_host", { size = ffi.sizeof "tocsin_host" })
local count = #arg - 4
local options = ffi.new("tocsin_kv[?]", count + 1)
options[0].key = text "config"
for i = 1, count do
	-- The strings that options point into stay where they are, as elements of arg.
	local key, value = arg[i + 4]:match "^([^=]*)=(.*)$"
	arg["key" .. i], arg["value" .. i] = key, value
	options[i].key, options[i].value = text(key), text(value)
end
local message = ffi.new("char[512]")
local instance = ffi.new("tocsin_instance *[1]")
check(plugin.create(host, options, count + 1, message, 512, instance), "create")
check(plugin.start(instance[0]), "start")

local function alert(about)
	local e = ffi.new "tocsin_alert_event"
	e.head.size, e.head.kind, e.priority = ffi.sizeof(e), 1, 1
	e.code, e.message, e.session_id = text "DATA_FEED_DOWN", text "gone", text(about)
	check(plugin.on_alert(instance[0], e, nil), "on_alert")
end

alert(session)
if way == "close" then
	library = nil
	collectgarbage()
	collectgarbage()
	alert(session .. "-closed")
end
ffi.C.poll(nil, 0, delay_ms)
if end_status ~= 0 then
	os.exit(end_status, true)
end
