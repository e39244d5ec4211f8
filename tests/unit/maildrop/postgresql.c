#include "postgresql.h"

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "stores.h"

#define SUPERUSER   "postgres"
#define READY_TRIES 3000 /* of 10 ms */

static struct {
	char programs[128]; /* the folder of initdb and postgres */
	char folder[64];
	char data[96];
	pid_t pid; /* 0: it is down */
	unsigned made;
} server;

static const struct passwd *account(void)
{
	const struct passwd *pw = getpwnam("postgres");

	return pw ? pw : getpwnam("nobody");
}

static bool find_programs(void)
{
	glob_t found;
	bool any = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0;

	if (any) {
		snprintf(server.programs, sizeof(server.programs), "%s",
			found.gl_pathv[found.gl_pathc - 1]);
		*strrchr(server.programs, '/') = '\0';
	}
	globfree(&found);
	return any;
}

/* In the child. */
static void run_program(const char *program, char *const *argv)
{
	const struct passwd *pw = account();
	char path[192], log[96];
	int out;

	snprintf(log, sizeof(log), "%s/log", server.folder);
	if (geteuid() == 0 &&
		(!pw || setgroups(0, NULL) || setgid(pw->pw_gid) || setuid(pw->pw_uid)))
		_exit(126);
	(void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
	out = open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (chdir(server.folder))
		_exit(126);
	snprintf(path, sizeof(path), "%s/%s", server.programs, program);
	execv(path, argv);
	_exit(127);
}

static pid_t start_program(const char *program, char *const *argv)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		run_program(program, argv);
	return pid;
}

static void pass_a_moment(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static bool is_ready(void)
{
	char uri[256];

	postgresql_uri(SUPERUSER, "postgres", uri, sizeof(uri));
	return PQping(uri) == PQPING_OK;
}

/* False: it ended, since what a crash left behind is still being cleaned up. */
static bool try_start(void)
{
	char *argv[] = { "postgres", "-D", server.data, NULL };

	server.pid = start_program("postgres", argv);
	for (int i = 0; i < READY_TRIES; i++) {
		if (waitpid(server.pid, NULL, WNOHANG) == server.pid) {
			server.pid = 0;
			return false;
		}
		if (is_ready())
			return true;
		pass_a_moment();
	}
	fail_msg("PostgreSQL does not come up, see %s/log", server.folder);
	return false;
}

void postgresql_restart(void)
{
	for (int i = 0; !try_start(); i++) {
		assert_true(i < READY_TRIES);
		pass_a_moment();
	}
}

static void end(int signal)
{
	if (!server.pid)
		return;
	kill(server.pid, signal);
	assert_int_equal(waitpid(server.pid, NULL, 0), server.pid);
	server.pid = 0;
}

void postgresql_crash(void)
{
	end(SIGKILL);
}

void postgresql_shut_down(void)
{
	end(SIGINT);
}

/* The server's processes are its children. */
static void signal_all(int signal)
{
	char path[64], line[256];
	FILE *list;

	kill(server.pid, signal);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", server.pid, server.pid);
	list = fopen(path, "r");
	assert_non_null(list);
	assert_non_null(fgets(line, sizeof(line), list));
	fclose(list);
	for (char *p = line; *p && *p != '\n';) {
		kill((pid_t)strtol(p, &p, 10), signal);
		p += strspn(p, " ");
	}
}

void postgresql_stop_answering(void)
{
	signal_all(SIGSTOP);
}

void postgresql_answer_again(void)
{
	signal_all(SIGCONT);
}

const char *postgresql_folder(void)
{
	return server.folder;
}

static FILE *configuration(const char *name, const char *mode)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", server.data, name);
	file = fopen(path, mode);
	assert_non_null(file);
	return file;
}

static void configure(void)
{
	FILE *file = configuration("pg_hba.conf", "w");

	fprintf(file, "local all careful scram-sha-256\nlocal all all trust\n");
	fclose(file);
	file = configuration("postgresql.conf", "a");
	fprintf(file,
		"listen_addresses = ''\nunix_socket_directories = '%s'\n"
		"fsync = off\nmax_connections = 40\nautovacuum = off\n",
		server.folder);
	fclose(file);
}

bool postgresql_start(void)
{
	char *argv[] = { "initdb", "--pgdata", server.data, "--username", SUPERUSER, "--auth",
		"trust", "--no-sync", "--encoding", "UTF8", "--locale", "C", NULL };
	const struct passwd *pw = account();
	int status;
	pid_t pid;

	if (!find_programs())
		return false;
	snprintf(server.folder, sizeof(server.folder), "/tmp/popgate-pgXXXXXX");
	assert_non_null(mkdtemp(server.folder));
	assert_int_equal(chmod(server.folder, 0755), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(server.folder, pw->pw_uid, pw->pw_gid), 0);
	snprintf(server.data, sizeof(server.data), "%s/data", server.folder);
	pid = start_program("initdb", argv);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	configure();
	postgresql_restart();
	return true;
}

void postgresql_stop(void)
{
	char *argv[] = { "rm", "-rf", server.folder, NULL };
	pid_t pid;

	end(SIGQUIT);
	pid = fork();
	if (pid == 0) {
		execv("/bin/rm", argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

void postgresql_uri(const char *role, const char *database, char *ret, size_t size)
{
	snprintf(ret, size, "postgresql://%s@/%s?host=%s", role, database, server.folder);
}

int64_t postgresql_query(const char *database, const char *sql)
{
	char uri[256];
	int64_t ret = 0;
	PGconn *pg;
	PGresult *result;

	postgresql_uri(SUPERUSER, database, uri, sizeof(uri));
	pg = PQconnectdb(uri);
	PQclear(PQexec(pg, "SET client_min_messages = warning"));
	result = PQexec(pg, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	if (PQntuples(result) > 0)
		ret = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	PQfinish(pg);
	return ret;
}

/* The store. */

static const char *database_of(const struct place *at, char *ret, size_t size)
{
	const char *name = strstr(at->address, "@/") + 2;

	snprintf(ret, size, "%.*s", (int)strcspn(name, "?"), name);
	return ret;
}

static void make_database(struct place *at)
{
	char name[32], sql[64];

	snprintf(name, sizeof(name), "test_%u", ++server.made);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
	(void)postgresql_query("postgres", sql);
	postgresql_uri(SUPERUSER, name, at->address, sizeof(at->address));
}

static void remove_database(const struct place *at)
{
	char name[32], sql[64];

	snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)",
		database_of(at, name, sizeof(name)));
	(void)postgresql_query("postgres", sql);
}

static struct err open_database(const struct place *at, int patience, struct registry **ret)
{
	return registry_postgresql_open(at->address, (uint64_t)patience, ret);
}

static int64_t query_database(const struct place *at, const char *text)
{
	char name[32];

	return postgresql_query(database_of(at, name, sizeof(name)), text);
}

const struct test_store postgresql_store = {
	.name = "postgresql",
	.start = postgresql_start,
	.stop = postgresql_stop,
	.make = make_database,
	.remove = remove_database,
	.open = open_database,
	.sql = query_database,
	.count_maildrops = "SELECT count(*) FROM popgate_maildrop",
	.count_folders = "SELECT count(*) FROM popgate_folder",
};
