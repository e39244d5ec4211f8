#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/login/hash.h"
#include "proxy/login/password_input.h"
#include "proxy/login/users.h"
#include "proxy/login/users_edit.h"
#include "proxy/verbs/common.h"
#include "proxy/verbs/verbs.h"

static const char help[] =
	"Usage: popgate users set    --file FILE LOGIN\n"
	"       popgate users remove --file FILE LOGIN\n"
	"       popgate users list   --file FILE\n"
	"\n"
	"Keeps a users file: the logins whose passwords the gateway checks itself\n"
	"(auth.users_file), one \"login:hash\" per line. A running gateway sees every change\n"
	"at the next login.\n"
	"\n"
	"  set     reads the password from standard input (one line; a terminal is asked twice,\n"
	"          without echo) and stores its yescrypt hash. Makes the file when there is none.\n"
	"  remove  removes one login.\n"
	"  list    prints each login and the kind of its hash.\n"
	"\n"
	"  -f, --file FILE  the users file\n"
	"  -h, --help       this text\n"
	"\n"
	"LOGIN is written as it is after the login_name rules: in lower case, with its domain,\n"
	"unless the configuration says otherwise. Hashes of bcrypt, SHA-512, SHA-256, argon2id\n"
	"and argon2i are accepted too; write such lines with an editor.\n"
	"\n"
	"Exit status: 0 done; 1 the login is not in the file; 2 wrong usage, or the file is\n"
	"malformed or cannot be read or written.\n"
	"\n"
	"Example: printf '%s\\n' 'pass word' | popgate users set -f local.users "
	"ann@local.example\n";

static int complain(const char *text)
{
	fprintf(stderr, "popgate users: %s\n", text);
	return VERB_USAGE;
}

static struct err make_hash(const char *login, char hash[HASH_MAX])
{
	cleanup(free_cleanup) char *prompt = mem_printf("Password for %s", login);
	cleanup(secret_cleanup) struct secret *password = NULL;
	struct err e;

	if (failed(e = password_input(prompt, true, &password)))
		return e;
	return hash_make(password, hash);
}

static int users_verb_set(const char *file, const char *login)
{
	const char *wrong = users_check_login(login);
	char hash[HASH_MAX];
	struct err e;
	bool known;

	if (wrong)
		return complain(wrong);
	if (failed(e = make_hash(login, hash)))
		return complain(e.detail);
	if (failed(e = users_set(file, login, hash, &known)))
		return complain(e.detail);
	printf("%s: %s\n", login, known ? "password changed" : "added");
	return VERB_DONE;
}

static int users_verb_remove(const char *file, const char *login)
{
	struct err e;
	bool known;

	if (failed(e = users_remove(file, login, &known)))
		return complain(e.detail);
	if (!known) {
		fprintf(stderr, "popgate users: %s: no such login in %s\n", login, file);
		return VERB_NO;
	}
	printf("%s: removed\n", login);
	return VERB_DONE;
}

static void print_wrong(unsigned line, const char *wrong, void *file)
{
	fprintf(stderr, "%s:%u: %s\n", (const char *)file, line, wrong);
}

static int users_verb_list(const char *file, const char *login)
{
	cleanup(users_cleanup) struct users *users = NULL;
	struct stat st;
	struct err e;
	size_t n;
	char *text;
	int fd;

	(void)login;
	if (failed(e = users_open(file, &fd, &st)))
		return complain(e.detail);
	e = users_slurp(fd, file, &text, &n);
	close(fd);
	if (failed(e))
		return complain(e.detail);
	if (failed(users_parse(file, text, n, print_wrong, (void *)(uintptr_t)file, &users)))
		return VERB_USAGE;
	for (size_t i = 0; i < users->n; i++)
		printf("%s\t%s\n", users->entries[i].login, users->entries[i].kind);
	return VERB_DONE;
}

static const struct users_action {
	const char *name;
	bool login;
	int (*run)(const char *file, const char *login);
} actions[] = {
	{ "set", true, users_verb_set },
	{ "remove", true, users_verb_remove },
	{ "list", false, users_verb_list },
	{ NULL, false, NULL },
};

static int run(const char *file, int argc, char **argv)
{
	const struct users_action *action = actions;

	if (argc == 0)
		return verb_usage("users", "say what to do: set, remove or list");
	while (action->name && strcmp(action->name, argv[0]) != 0)
		action++;
	if (!action->name)
		return verb_usage("users", "the first argument must be set, remove or list");
	if (!file)
		return verb_usage("users", "name the users file: --file FILE");
	if (argc < 1 + action->login)
		return verb_usage("users", "a LOGIN is missing");
	if (argc > 1 + action->login)
		return verb_usage("users", "too many arguments");
	return action->run(file, argv[1]);
}

int verb_users(int argc, char **argv)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = NULL;
	int option;

	opterr = 0;
	optind = 0; /* the program has looked at its own arguments before */
	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		switch (option) {
		case 'f':
			file = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return VERB_DONE;
		default:
			return verb_usage("users", "an unknown option, or one without its value");
		}
	}
	return run(file, argc - optind, argv + optind);
}
