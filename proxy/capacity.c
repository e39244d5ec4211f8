#include "proxy/capacity.h"

#include <sched.h>
#include <sys/resource.h>

#include "proxy/runtime/log.h"

/* Descriptors of a session (client, server) and of a worker itself. */
#define FILES_PER_SESSION 2
#define FILES_OF_WORKER   256

static unsigned count_cores(void)
{
	cpu_set_t set;

	/* Only those we may run on: a container may have fewer than the machine. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	return 1;
}

unsigned capacity_workers(const struct config *config)
{
	return config->workers == WORKERS_AUTO ? count_cores() : config->workers;
}

void capacity_raise_files(const struct config *config)
{
	uint64_t share = config->limits.sessions / capacity_workers(config);
	uint64_t needed = share * FILES_PER_SESSION + FILES_OF_WORKER;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < needed)
		log_warning("few open files", f_uint("allowed", limit.rlim_cur),
			f_uint("needed", needed),
			f_text("advice",
				"raise the hard limit of open files, or lower limits.sessions"));
}
