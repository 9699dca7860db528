/* SPDX-License-Identifier: MIT */
/*
 * Inside the settings: the table's rows as the loader, the parsers and the checks see them.
 */
#ifndef TOCSIN_SETTINGS_SETTINGS_TABLE_H
#define TOCSIN_SETTINGS_SETTINGS_TABLE_H

#include "base/text.h"
#include "settings/settings.h"

/* Which structure a row's field is in. */
enum setting_of { SETTING_OF_SETTINGS, SETTING_OF_ENDPOINT, SETTING_OF_SOURCE };

struct setting {
	const char *section, *key;
	enum setting_of of;
	size_t offset; /* of the field */
	const char *fallback, *bounds;
	/* Sets the field; -EINVAL with the reason, one line, added to `why`. -ENOMEM. */
	int (*parse)(const struct setting *row, tocsin_str value, struct settings *s, void *field,
		     struct text_buffer *why);
};

extern const struct setting settings_table[];
#define SETTINGS_TABLE_MAX 64
size_t settings_table_size(void);

/* The row, or NULL. */
const struct setting *settings_find(const char *section, const char *key);
bool settings_has_section(const char *section);
/* Adds why there is no such row, with the nearest one that there is. */
void settings_unknown(const char *section, const char *key, struct text_buffer *why);

/* The parsers, by the names that settings.def uses. */
int setting_parse_STRING(const struct setting *, tocsin_str, struct settings *, void *,
			 struct text_buffer *);
int setting_parse_PATH(const struct setting *, tocsin_str, struct settings *, void *,
		       struct text_buffer *);
int setting_parse_WORD(const struct setting *, tocsin_str, struct settings *, void *,
		       struct text_buffer *);
int setting_parse_CHOICE(const struct setting *, tocsin_str, struct settings *, void *,
			 struct text_buffer *);
int setting_parse_BOOL(const struct setting *, tocsin_str, struct settings *, void *,
		       struct text_buffer *);
int setting_parse_CPUS(const struct setting *, tocsin_str, struct settings *, void *,
		       struct text_buffer *);
int setting_parse_SIZE(const struct setting *, tocsin_str, struct settings *, void *,
		       struct text_buffer *);
int setting_parse_DURATION(const struct setting *, tocsin_str, struct settings *, void *,
			   struct text_buffer *);
int setting_parse_DURATION_GIVEN(const struct setting *, tocsin_str, struct settings *, void *,
				 struct text_buffer *);
int setting_parse_DURATION_OWN(const struct setting *, tocsin_str, struct settings *, void *,
			       struct text_buffer *);
int setting_parse_FRACTION(const struct setting *, tocsin_str, struct settings *, void *,
			   struct text_buffer *);
int setting_parse_FRACTION_OWN(const struct setting *, tocsin_str, struct settings *, void *,
			       struct text_buffer *);
int setting_parse_COUNT(const struct setting *, tocsin_str, struct settings *, void *,
			struct text_buffer *);
int setting_parse_UIDS(const struct setting *, tocsin_str, struct settings *, void *,
		       struct text_buffer *);
int setting_parse_PRIORITIES(const struct setting *, tocsin_str, struct settings *, void *,
			     struct text_buffer *);

/* The sections of one endpoint each: "webhook", and this and a name. In the table they are
 * "webhook". */
#define SETTINGS_ENDPOINT "webhook"
#define SETTINGS_ENDPOINT_PREFIX SETTINGS_ENDPOINT "."
/* Finds or makes the endpoint of a section, with the defaults. -EINVAL, -ENOMEM. */
int settings_endpoint(struct settings *s, const char *section, struct settings_endpoint **ret,
		      struct text_buffer *why);
/* Adds the name of its section. */
void settings_endpoint_section(const struct settings_endpoint *e, struct text_buffer *ret);
/* Leaves those with a url. -EINVAL: *ret is wrong in its url, or in its backup when it has one. */
int settings_keep_endpoints(struct settings *s, const struct settings_endpoint **ret,
			    struct text_buffer *why);
void settings_free_endpoint(struct settings_endpoint *e);
/* Is this endpoint, which has a url, fit for use? Resolves the names of its credentials: those of
 * the unit that we are in, else of the one that has the engine's name. */
int settings_check_endpoint(struct settings_endpoint *e, const char *engine,
			    settings_files_check *check_files, const char **ret_key,
			    struct text_buffer *why);
/* Has the endpoint a credential that can be known only inside its unit? *ret_key: which. */
bool settings_unknown_credential(struct settings_endpoint *e, const char *engine,
				 const char **ret_key);
/* Leaves that one out. */
void settings_forget_file(struct settings_endpoint *e, const char *key);
/* The name for an engine that was given none: heap, fit for a folder's. NULL without memory. */
char *settings_engine_name(const char *given);

/* The section whose keys are free: roles. */
#define SETTINGS_CONTACTS "contacts"

/* The sections of one source each: this and its name. In the table they are SETTINGS_SOURCE. */
#define SETTINGS_SOURCE_PREFIX "source."
#define SETTINGS_SOURCE SETTINGS_SOURCE_PREFIX "NAME"
#define SETTINGS_SOURCE_KEYS 4
/* The section's name in the table. */
const char *settings_section(const char *section);
/* Finds or makes the source of a section "source.NAME", all of it not given yet. -EINVAL, -ENOMEM.
 */
int settings_source(struct settings *s, const char *section, struct source_thresholds **ret,
		    struct text_buffer *why);
/* Gives each source what counts for all, where nothing was said of it. */
void settings_complete_sources(struct settings *s);
/* Does one drift threshold stand above a higher one? *ret: whose, NULL: everybody's. -EINVAL. */
int settings_check_thresholds(struct settings *s, const struct source_thresholds **ret,
			      struct text_buffer *why);
void settings_free_sources(struct settings *s);

/* The environment that counts, copied. -ENOMEM. */
int settings_read_environment(struct settings *s);
void settings_free_environment(struct settings *s);
/* The proxy for the endpoint's URL, and where to do without it. -ENOMEM. */
int settings_read_proxies(struct settings_endpoint *e);

/* As settings_load, with the folder of the default files. */
int settings_load_from(settings_files_check *check_files, const char *sysconfdir,
		       const tocsin_kv *options, size_t n_options, char *err, size_t err_size,
		       struct settings **ret);

/*
 * Reads an INI file: calls `section` for each [section] and `set` for each line that sets
 * something; both return 0 or -EINVAL with the reason in `why`. Calls `bad` for each line that is
 * wrong, those that they refuse among them, and reads on; line 0 is the whole file. A line has 8192
 * bytes at most; it is a comment from # or ; at its beginning on, or from a blank and ; on. Returns
 * 0, -ENOMEM, or the first error.
 */
struct ini_reader {
	int (*section)(void *userdata, const char *section, struct text_buffer *why);
	int (*set)(void *userdata, const char *section, const char *key, const char *value,
		   unsigned line, struct text_buffer *why);
	void (*bad)(void *userdata, unsigned line, const char *why);
	void *userdata;
};
int settings_read_file(const char *path, const struct ini_reader *reader);
/* The settings files of a folder, *.conf in the order of their names, *ret and each of them on the
 * heap. A folder that is not there has none. -errno. */
int settings_list_folder(const char *folder, char ***ret, size_t *ret_n);

#endif
