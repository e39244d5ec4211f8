/* value_text - the scalars that stay texts: names, paths, templates, addresses. */
#include "config/value_text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/address.h"
#include "config/database.h"
#include "config/template.h"
#include "config/uidl_format.h"
#include "proxy/runtime/account.h"

bool value_set_text(const struct setting *s, const struct scalar *v)
{
	if (v->length < s->key->min || (s->key->max > 0 && v->length > s->key->max))
		return value_refuse(s, v->at, "%zu octets long", v->length);
	value_store_text(s, v->text);
	return true;
}

static bool is_name(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789._-") == strlen(text);
}

bool value_set_name(const struct setting *s, const struct scalar *v)
{
	if (!is_name(v->text) || v->length > s->key->max)
		return value_refuse_text(s, v);
	value_store_text(s, v->text);
	return true;
}

bool value_set_domain(const struct setting *s, const struct scalar *v)
{
	if (v->length > 0 && !domain_valid(v->text))
		return value_refuse_text(s, v);
	value_store_text(s, v->text);
	return true;
}

bool value_set_account(const struct setting *s, const struct scalar *v)
{
	if (v->length > 0 && !getpwnam(v->text))
		return value_refuse(s, v->at, "there is no account %s", quoted(s->arena, v->text));
	value_store_text(s, v->text);
	return true;
}

/* A path as it is used: relative ones belong to the folder of their file. */
static const char *resolve(const struct setting *s, const char *path)
{
	if (*path == '\0' || *path == '/' || *s->folder == '\0')
		return path;
	return arena_printf(s->arena, "%s/%s", strcmp(s->folder, "/") == 0 ? "" : s->folder, path);
}

/* Why path cannot be read as a file, or a folder, as an errno value; 0 when it can. */
static int unreadable(const char *path, bool folder)
{
	struct stat st;
	int why = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (folder ? O_DIRECTORY : 0));

	if (fd < 0)
		return errno;
	if (!folder && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		why = EISDIR;
	close(fd);
	return why;
}

/* What systemd gives a service by LoadCredential=, in a folder that only the service knows. */
#define CREDENTIALS "${CREDENTIALS_DIRECTORY}/"

bool value_set_path(const struct setting *s, const struct scalar *v)
{
	const char *path = resolve(s, v->text), *folder;
	char account[ACCOUNT_TEXT];
	int why;

	if (v->length < s->key->min)
		return value_refuse_text(s, v);
	if (strncmp(v->text, CREDENTIALS, strlen(CREDENTIALS)) == 0) {
		folder = getenv("CREDENTIALS_DIRECTORY");
		if (!folder)
			return value_refuse(s, v->at,
				"CREDENTIALS_DIRECTORY is not set, as systemd does for a service");
		path = arena_printf(s->arena, "%s/%s", folder, v->text + strlen(CREDENTIALS));
	}
	why = *path ? unreadable(path, s->key->type == KEY_FOLDER) : 0;
	if (why == EACCES)
		return value_refuse(s, v->at, "%s cannot be read by the account %s (%s)", path,
			account_name(account), strerror(why));
	if (why)
		return value_refuse(s, v->at, "%s cannot be read (%s)", path, strerror(why));
	value_store_text(s, path);
	return true;
}

bool value_set_new_path(const struct setting *s, const struct scalar *v)
{
	bool word = strcmp(v->text, s->key->standard) == 0;
	const char *path = word ? v->text : resolve(s, v->text);
	const char *slash = strrchr(path, '/');
	const char *folder = !slash ? "."
			     : slash == path
				     ? "/"
				     : arena_strndup(s->arena, path, (size_t)(slash - path));
	struct stat st;

	if (!word && *path && (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)))
		return value_refuse(s, v->at, "there is no folder %s", folder);
	value_store_text(s, path);
	return true;
}

bool value_set_template(const struct setting *s, const struct scalar *v)
{
	const char *text = s->key->type == KEY_PATH_TEMPLATE ? resolve(s, v->text) : v->text;
	const char *bad;

	if (v->length < s->key->min)
		return value_refuse_text(s, v);
	if (s->key->type == KEY_UIDL_FORMAT && strcmp(text, "decimal") != 0 && !strstr(text, "%{"))
		return value_refuse_text(s, v);
	bad = s->key->type == KEY_UIDL_FORMAT ? uidl_format_unknown(text, s->arena)
					      : template_unknown(text, s->key->choices, s->arena);
	if (bad)
		return value_refuse(s, v->at, "%s is not known", quoted(s->arena, bad));
	value_store_text(s, text);
	return true;
}

bool value_set_url(const struct setting *s, const struct scalar *v)
{
	if (v->length > 0 && !url_valid(v->text))
		return value_refuse_text(s, v);
	value_store_text(s, v->text);
	return true;
}

bool value_set_address(const struct setting *s, const struct scalar *v)
{
	struct listen_address address;

	if (v->length > 0 && !listen_address_parse(v->text, &address))
		return value_refuse_text(s, v);
	value_store_text(s, v->text);
	return true;
}

bool value_set_database(const struct setting *s, const struct scalar *v)
{
	struct config *config = (struct config *)((char *)s->member - s->key->offset);
	const char *trouble = database_uri_trouble(v->text);

#ifndef POPGATE_POSTGRESQL
	trouble = "this popgate was built without PostgreSQL";
#endif
	if (trouble)
		return value_refuse(s, v->at, "%s", trouble);
	config->state_kind = STATE_POSTGRESQL;
	value_store_text(s, v->text);
	return true;
}

bool value_set_state(const struct setting *s, const struct scalar *v)
{
	struct config *config = (struct config *)((char *)s->member - s->key->offset);

	if (database_uri_is(v->text))
		return value_set_database(s, v);
	if (strcmp(v->text, "none") == 0) {
		config->state_kind = STATE_NONE;
		config->state = "";
	} else if (strncmp(v->text, "sqlite:", 7) == 0 && v->text[7]) {
		config->state_kind = STATE_SQLITE;
		value_store_text(s, resolve(s, v->text + 7));
	} else {
		return value_refuse_text(s, v);
	}
	return true;
}
