#include "tests/bench/process.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCESSES_MAX 65536

struct process {
	pid_t pid, parent;
	double cpu_ticks;
	bool wanted;
};

static bool read_stat(pid_t pid, struct process *ret)
{
	char path[64], text[1024], *fields;
	unsigned long user, system;
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
		sscanf(fields + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld",
			&parent, &user, &system, &reaped_user, &reaped_system) != 5)
		return false;
	*ret = (struct process){ .pid = pid, .parent = parent };
	ret->cpu_ticks =
		(double)user + (double)system + (double)reaped_user + (double)reaped_system;
	return true;
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
		cost.cpu_ms += all[i].cpu_ticks * 1000 / (double)sysconf(_SC_CLK_TCK);
		cost.pss_kib += read_pss(all[i].pid);
		cost.processes++;
	}
	free(all);
	return cost;
}
