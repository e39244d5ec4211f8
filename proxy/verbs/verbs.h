/*
 * verbs - what popgate can be told to do on the command line.
 *
 * argv[0] is the verb's name; each verb parses its own options and has --help. Exit status: 0 done,
 * 1 the answer is no, 2 usage or configuration.
 */
#ifndef POPGATE_VERBS_VERBS_H
#define POPGATE_VERBS_VERBS_H

int verb_serve(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_route(int argc, char **argv);
int verb_probe(int argc, char **argv);
int verb_health(int argc, char **argv);
int verb_uidl(int argc, char **argv);
int verb_users(int argc, char **argv);
int verb_state(int argc, char **argv);
int verb_who(int argc, char **argv);

#endif
