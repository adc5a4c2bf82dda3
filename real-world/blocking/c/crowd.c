/* A program with a thread for each request: crowd HOST PORT COUNT. Prints the answers in order. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"

static const char *host;
static int port;

struct member {
    pthread_t thread;
    int number;
    char answer[512];
};

static void *run(void *argument)
{
    struct member *member = argument;
    ask(host, port, member->number, member->answer, sizeof member->answer);
    return member;
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: %s HOST PORT COUNT\n", arguments[0]);
        return 2;
    }
    host = arguments[1];
    port = atoi(arguments[2]);
    int size = atoi(arguments[3]);
    struct member *members = calloc(size, sizeof *members);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 20);
    for (int number = 0; members && number < size; number++) {
        members[number].number = number;
        int error = pthread_create(&members[number].thread, &attributes, run, &members[number]);
        if (error) {
            fprintf(stderr, "thread %d: error %d\n", number, error);
            return 1;
        }
    }
    for (int number = 0; members && number < size; number++) {
        void *result = NULL;
        if (pthread_join(members[number].thread, &result) || result != &members[number])
            return 1;
        puts(members[number].answer);
    }
    free(members);
    return 0;
}
