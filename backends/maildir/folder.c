#include "backends/maildir/folder.h"

#include <string.h>
#include <strings.h>

#include "backends/mutf7.h"

static bool is_component(const char *component, size_t n, const char *name)
{
	return strlen(name) == n && memcmp(component, name, n) == 0;
}

static size_t count_slashes(const char *path)
{
	size_t n = 0;

	for (; (path = strchr(path, '/')); path++)
		n++;
	return n;
}

/* Whether every component of an absolute path is a name of its own. */
static bool path_is_plain(const char *path)
{
	while (*path == '/') {
		size_t n = strcspn(++path, "/");

		if (n == 0 || is_component(path, n, ".") || is_component(path, n, ".."))
			return false;
		path += n;
	}
	return *path == '\0';
}

struct err maildir_root_path(const struct account *account, char **ret)
{
	const char *text = account->tenant->maildir.path, *path;
	const char *pairs[] = { "login", account->login, "user", account->user, "domain",
		account->domain, NULL };
	cleanup(arena_cleanup) struct arena *arena = arena_new();
	cleanup(free_cleanup) char *root = NULL;
	size_t n;

	path = template_fill(arena, text, pairs);
	/* A name with a slash in it would reach into somebody else's folder. */
	if (count_slashes(path) != count_slashes(text))
		return err_make(ERR_PERM, "login does not fit into the path: %s", path);
	root = mem_strdup(path);
	n = strlen(root);
	if (n > 1 && root[n - 1] == '/')
		root[n - 1] = '\0';
	if (!path_is_plain(root))
		return err_make(ERR_PERM, "not a plain absolute path: %s", path);
	*ret = steal(root);
	return ok();
}

/* What a folder of the fs layout may not be called: hidden files, "..", and Maildir's own. */
static bool is_reserved(const char *component, size_t n)
{
	return component[0] == '.' || is_component(component, n, "cur") ||
	       is_component(component, n, "new") || is_component(component, n, "tmp");
}

static bool append_component(
	struct buffer *out, const char *component, size_t n, enum folder_layout layout)
{
	if (n == 0 || (layout == LAYOUT_FS && is_reserved(component, n)))
		return false;
	if (layout == LAYOUT_MAILDIRPP)
		buffer_append(out, ".", 1);
	else if (buffer_used(out) > 0)
		buffer_append(out, "/", 1);
	return mutf7_append(out, component, n);
}

struct err maildir_folder_path(const char *name, enum folder_layout layout, char **ret)
{
	const char *separators = layout == LAYOUT_MAILDIRPP ? "/." : "/", *p = name;
	struct buffer path = { 0 };

	if (strcasecmp(name, "INBOX") == 0) {
		*ret = mem_strdup(MAILDIR_INBOX);
		return ok();
	}
	for (;;) {
		size_t n = strcspn(p, separators);

		if (!append_component(&path, p, n, layout)) {
			buffer_done(&path);
			return err_make(ERR_PERM, "not a name for a folder: %s", name);
		}
		if (p[n] == '\0')
			break;
		p += n + 1;
	}
	buffer_append(&path, "", 1);
	*ret = mem_strdup(path.data + path.start);
	buffer_done(&path);
	return ok();
}
