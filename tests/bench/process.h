/*
 * process - what a server's whole process tree has cost so far, from /proc.
 */
#ifndef POPGATE_BENCH_PROCESS_H
#define POPGATE_BENCH_PROCESS_H

#include <sys/types.h>

struct process_cost {
	double cpu_ms;      /* user and system, reaped children included */
	double pss_kib;     /* proportional memory of the living */
	unsigned processes; /* living */
};

/* The cost of root and all its living descendants; root 0: nothing. */
struct process_cost process_tree_cost(pid_t root);

#endif
