/*
 * master - the process that the operator starts: reads the configuration, binds the sockets, forks
 * the workers, handles signals. Single-threaded, without a loop of libuv and without a registry, so
 * that it may fork at any time. It stays who it was started as, to be able to reload.
 *
 * SIGHUP: load the file anew; if it is good, new workers serve and the old ones let their sessions
 * finish; if it is bad, say why and change nothing. SIGTERM, SIGINT: not ready any more; after
 * shutdown_delay drain for shutdown_grace and end; the second one ends at once. SIGUSR1: open
 * log.file anew, here and in all workers.
 * A reload cannot raise limits.sessions beyond twice what it was at the start, nor workers beyond
 * eight times; the log says so. Where many reloads leave many workers whose sessions go on, the
 * oldest are drained.
 */
#ifndef POPGATE_MASTER_H
#define POPGATE_MASTER_H

/* Runs the gateway. Returns the exit status: 0 after an orderly end, 1 when sessions had to be cut
 * off by force, 2 when it could not start (standard error says why). */
int master_run(const char *file);

#endif
