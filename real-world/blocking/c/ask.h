/* What each of these programs does for one member of a crowd: asks a server that takes 100 ms, by a C library that blocks, and leaves the answer, or
 * what went wrong. It knows nothing of corun, nor of who calls it. */
#ifndef ASK_H
#define ASK_H

#include <stddef.h>

void ask(const char *host, int port, int number, char *answer, size_t size);

#endif
