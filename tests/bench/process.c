#include "tests/bench/process.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 65536

struct process {
	pid_t pid, parent;
	double reaped_ms;
	bool wanted;
};

static bool read_stat(pid_t pid, struct process *ret)
{
	char path[64], text[1024], *fields;
	long reaped_user, reaped_system;
	int parent;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	fields = strrchr(text, ')'); /* the name may hold anything */
	if (!fields ||
		sscanf(fields + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %ld %ld",
			&parent, &reaped_user, &reaped_system) != 3)
		return false;
	*ret = (struct process){ .pid = pid, .parent = parent };
	ret->reaped_ms =
		(double)(reaped_user + reaped_system) * 1000 / (double)sysconf(_SC_CLK_TCK);
	return true;
}

/* To the nanosecond, its ended threads included; /proc tells ticks only. */
static double own_ms(pid_t pid)
{
	clockid_t clock;
	struct timespec t;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double read_pss(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Pss: %lf kB", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

static size_t read_all(struct process *all)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	while (dir && (entry = readdir(dir)) && n < PROCESSES_MAX) {
		int pid = atoi(entry->d_name);

		if (pid > 0 && read_stat(pid, &all[n]))
			n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void mark_descendants(struct process *all, size_t n, pid_t root)
{
	bool more = true;

	for (size_t i = 0; i < n; i++)
		all[i].wanted = all[i].pid == root;
	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < n && !all[i].wanted; k++)
				if (all[k].wanted && all[k].pid == all[i].parent)
					more = all[i].wanted = true;
	}
}

struct process_cost process_tree_cost(pid_t root)
{
	struct process *all = calloc(PROCESSES_MAX, sizeof(*all));
	size_t n = all ? read_all(all) : 0;
	struct process_cost cost = { 0 };

	if (root)
		mark_descendants(all, n, root);
	for (size_t i = 0; i < n; i++) {
		if (!all[i].wanted)
			continue;
		cost.cpu_ms += own_ms(all[i].pid) + all[i].reaped_ms;
		cost.pss_kib += read_pss(all[i].pid);
		cost.processes++;
	}
	free(all);
	return cost;
}
