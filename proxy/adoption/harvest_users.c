#include "proxy/adoption/harvest_users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add(struct harvest_users *users, size_t *room, struct harvest_user user)
{
	if (users->n == *room) {
		*room = *room ? 2 * *room : 64;
		users->items = mem_resize(users->items, *room, sizeof(users->items[0]));
	}
	users->items[users->n++] = user;
}

/* Takes a line apart; NULL, or what is wrong with it. */
static const char *parse_line(char *line, struct harvest_user *ret)
{
	char *password = strchr(line, '\t');
	char *new_login = password ? strchr(password + 1, '\t') : NULL;

	if (!password)
		return "expected login, a tab, password, and perhaps a tab and the login here";
	*password++ = '\0';
	if (new_login)
		*new_login++ = '\0';
	if (!*line || !*password)
		return "the login or the password is empty";
	if (new_login && (!*new_login || strchr(new_login, '\t')))
		return "the login here is empty, or something stands behind it";
	*ret = (struct harvest_user){ .login = mem_strdup(line),
		.new_login = mem_strdup(new_login ? new_login : line),
		.password = secret_new(password, strlen(password)) };
	return NULL;
}

static struct err read_lines(FILE *in, const char *path, struct harvest_users *users)
{
	struct err e = ok();
	char *line = NULL;
	size_t size = 0, room = 0;
	unsigned number = 0;
	ssize_t n;

	while (!failed(e) && (n = getline(&line, &size, in)) >= 0) {
		struct harvest_user user;
		const char *wrong;

		number++;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = '\0';
		if (n == 0)
			continue;
		wrong = strlen(line) != (size_t)n ? "a NUL octet" : parse_line(line, &user);
		if (wrong)
			e = err_make(ERR_INVALID, "%s:%u: %s", path, number, wrong);
		else
			add(users, &room, user);
	}
	if (!failed(e) && ferror(in))
		e = err_errno(ERR_TEMP, errno, "%s", path);
	if (line)
		explicit_bzero(line, size);
	free(line);
	return e;
}

static int by_new_login(const void *a, const void *b)
{
	const struct harvest_user *const *x = a, *const *y = b;

	return strcmp((*x)->new_login, (*y)->new_login);
}

/* Two maildrops under one login could not be told apart. */
static struct err check_logins(const char *path, const struct harvest_users *users)
{
	cleanup(free_cleanup) const struct harvest_user **sorted =
		mem_alloc((users->n + 1) * sizeof(struct harvest_user *));

	for (size_t i = 0; i < users->n; i++)
		sorted[i] = &users->items[i];
	qsort(sorted, users->n, sizeof(struct harvest_user *), by_new_login);
	for (size_t i = 1; i < users->n; i++)
		if (by_new_login(&sorted[i - 1], &sorted[i]) == 0)
			return err_make(ERR_INVALID, "%s: two users have the login %s here", path,
				sorted[i]->new_login);
	return ok();
}

struct err harvest_users_read(const char *path, struct harvest_users **ret)
{
	cleanup(harvest_users_cleanup) struct harvest_users *users = mem_zalloc(1, sizeof(*users));
	FILE *in = fopen(path, "re");
	char block[1024];
	struct stat st;
	struct err e;

	if (!in)
		return err_errno(ERR_TEMP, errno, "%s", path);
	/* The passwords stay in no buffer of stdio's. */
	(void)setvbuf(in, block, _IOFBF, sizeof(block));
	if (fstat(fileno(in), &st) != 0)
		e = err_errno(ERR_TEMP, errno, "%s", path);
	else if (st.st_mode & 077)
		e = err_make(ERR_INVALID,
			"%s: others than its owner may read or write it, and it holds passwords: "
			"chmod 600",
			path);
	else
		e = read_lines(in, path, users);
	fclose(in);
	explicit_bzero(block, sizeof(block));
	if (!failed(e))
		e = check_logins(path, users);
	if (!failed(e))
		*ret = steal(users);
	return e;
}

struct harvest_users *harvest_users_one(const char *login, struct secret *password)
{
	struct harvest_users *users = mem_zalloc(1, sizeof(*users));
	size_t room = 0;

	add(users, &room,
		(struct harvest_user){ .login = mem_strdup(login),
			.new_login = mem_strdup(login),
			.password = password });
	return users;
}

void harvest_users_free(struct harvest_users *users)
{
	if (!users)
		return;
	for (size_t i = 0; i < users->n; i++) {
		free(users->items[i].login);
		free(users->items[i].new_login);
		secret_free(users->items[i].password);
	}
	free(users->items);
	free(users);
}
