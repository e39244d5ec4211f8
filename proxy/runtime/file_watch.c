#include "proxy/runtime/file_watch.h"

#include <libgen.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "proxy/runtime/mem.h"

#define OF_FILE   (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)
#define OF_FOLDER (IN_ONLYDIR | IN_CREATE | IN_DELETE | IN_MOVE | IN_MOVE_SELF | IN_DELETE_SELF)

/* Room for many events; what they say does not matter. */
static union {
	struct inotify_event event;
	char octets[1024];
} events;

static int inotify = -1;
static uint64_t number;

static int open_once(void)
{
	static bool tried;

	if (!tried)
		inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	tried = true;
	return inotify;
}

uint64_t file_watch_number(void)
{
	/* A queue that ran over says so by an event. */
	while (open_once() >= 0 && read(inotify, &events, sizeof(events)) > 0)
		number++;
	return number;
}

bool file_watch_add(const char *path)
{
	cleanup(free_cleanup) char *copy = mem_strdup(path);

	return inotify >= 0 && inotify_add_watch(inotify, dirname(copy), OF_FOLDER) >= 0 &&
	       inotify_add_watch(inotify, path, OF_FILE) >= 0;
}
