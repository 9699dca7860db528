/* SPDX-License-Identifier: MIT */
import com.sun.jna.Function;
import com.sun.jna.Memory;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * An engine whose wrapper is JNA: it raises, and ends without stop and without destroy.
 *
 * <pre>java Wrapper keep|close STATUS DELAY_MS SESSION SECTION.KEY=VALUE...</pre>
 *
 * close: the library's handle is closed before the last alert. TOCSIN_PLUGIN names the plugin. A
 * status of 0 is that of main's end, any other is given to System.exit.
 */
public final class Wrapper {
	@FieldOrder({"ptr", "len"})
	public static class Str extends Structure {
		public Pointer ptr;
		public long len;

		void set(String text) {
			byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
			Memory copy = new Memory(bytes.length + 1);
			copy.write(0, bytes, 0, bytes.length);
			ptr = copy;
			len = bytes.length;
		}
	}

	@FieldOrder({"key", "value"})
	public static class Kv extends Structure {
		public Str key, value;
	}

	@FieldOrder({"size", "abiMin", "abiMax", "abi", "plugin"})
	public static class Negotiation extends Structure {
		public int size, abiMin, abiMax, abi;
		public Plugin.ByReference plugin;
	}

	@FieldOrder({"size", "abi", "data", "name", "version", "log", "extension"})
	public static class Host extends Structure {
		public int size, abi;
		public Pointer data;
		public String name, version;
		public Pointer log, extension;
	}

	@FieldOrder({"size", "kind", "wallNs", "priority", "reserved0", "code", "message", "sessionId",
		"instance", "kv", "nKv"})
	public static class Alert extends Structure {
		public int size, kind;
		public long wallNs;
		public int priority, reserved0;
		public Str code, message, sessionId, instance;
		public Pointer kv;
		public long nKv;
	}

	@FieldOrder({"size", "abi", "name", "version", "configHelp", "create", "start", "onSession",
		"onHealth", "onAlert"})
	public static class Plugin extends Structure {
		public static class ByReference extends Plugin implements Structure.ByReference {}

		public int size, abi;
		public Pointer name, version, configHelp;
		public Pointer create, start, onSession, onHealth, onAlert;
	}

	private final Host host = new Host();
	private final NativeLibrary library;
	private final Plugin plugin;
	private final Pointer instance;

	private Wrapper(String[] settings) {
		library = NativeLibrary.getInstance(System.getenv("TOCSIN_PLUGIN"));
		Negotiation wanted = new Negotiation();
		wanted.size = wanted.size();
		check("tocsin_plugin_v1", library.getFunction("tocsin_plugin_v1"), wanted);
		plugin = wanted.plugin;
		host.size = host.size();
		host.name = "Wrapper.java";
		host.write();
		Kv[] options = (Kv[]) new Kv().toArray(settings.length);
		for (int i = 0; i < settings.length; i++) {
			String[] pair = settings[i].split("=", 2);
			options[i].key.set(pair[0]);
			options[i].value.set(pair[1]);
			options[i].write();
		}
		Memory error = new Memory(512);
		error.clear();
		PointerByReference made = new PointerByReference();
		int rc = Function.getFunction(plugin.create).invokeInt(new Object[] {host,
			options[0].getPointer(), (long) settings.length, error, error.size(), made});
		if (rc != 0)
			throw new IllegalStateException("create: " + rc + ": " + error.getString(0));
		instance = made.getValue();
		check("start", Function.getFunction(plugin.start), instance);
	}

	private static void check(String call, Function function, Object... arguments) {
		int rc = function.invokeInt(arguments);
		if (rc != 0)
			throw new IllegalStateException(call + ": " + rc);
	}

	private void alert(String session) {
		Alert e = new Alert();
		e.size = e.size();
		e.kind = 1;
		e.priority = 1;
		e.code.set("DATA_FEED_DOWN");
		e.message.set("gone");
		e.sessionId.set(session);
		check("on_alert", Function.getFunction(plugin.onAlert), instance, e, Pointer.NULL);
	}

	public static void main(String[] args) throws InterruptedException {
		List<String> settings = new ArrayList<>(List.of("config="));
		settings.addAll(List.of(args).subList(4, args.length));
		Wrapper engine = new Wrapper(settings.toArray(new String[0]));
		engine.alert(args[3]);
		if (args[0].equals("close")) {
			engine.library.close();
			engine.alert(args[3] + "-closed");
		}
		Thread.sleep(Long.parseLong(args[2]));
		if (!args[1].equals("0"))
			System.exit(Integer.parseInt(args[1]));
	}
}
