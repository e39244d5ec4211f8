/*
 * fault - places where a test may have the process killed, to see what a crash leaves behind.
 *
 * Only in a build with POPGATE_FAULT_POINTS; else a fault point is nothing. The environment's
 * POPGATE_FAULT names the point that kills: "registry.commit.before", with ":3" the third time that
 * it is reached; "*" is every point. Any thread.
 */
#ifndef POPGATE_RUNTIME_FAULT_H
#define POPGATE_RUNTIME_FAULT_H

#ifdef POPGATE_FAULT_POINTS
void fault_point(const char *name);
#else
#define fault_point(name) ((void)0)
#endif

#endif
