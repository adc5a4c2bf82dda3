/* A server as they have always been written: a thread for each connection, which blocks. It knows nothing of corun.
 * It prints its port, serves COUNT connections, joins their threads, and prints what they have counted. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_here = PTHREAD_COND_INITIALIZER;
static int here, expected;
static long bytes;
static pthread_key_t key;
static int destroyed;

static void destroy(void *value) {
    pthread_mutex_lock(&lock);
    destroyed += *(int *)value >= 0;
    pthread_mutex_unlock(&lock);
    free(value);
}

static void *serve(void *argument) {
    int fd = *(int *)argument;
    pthread_setspecific(key, argument);
    pthread_t self = pthread_self();
    /* Everyone waits until all are connected: with fewer threads than connections this would never end. */
    pthread_mutex_lock(&lock);
    if (++here == expected)
        pthread_cond_broadcast(&all_here);
    while (here < expected)
        pthread_cond_wait(&all_here, &lock);
    pthread_mutex_unlock(&lock);
    char buffer[4096];
    long count = 0;
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got <= 0)
            break;
        usleep(1000);
        if (write(fd, buffer, got) != got)
            abort();
        count += got;
        if (pthread_getspecific(key) != argument || !pthread_equal(self, pthread_self()))
            abort();
    }
    close(fd);
    pthread_mutex_lock(&lock);
    bytes += count;
    pthread_mutex_unlock(&lock);
    if (count % 2)
        pthread_exit((void *)count);
    return (void *)count;
}

static int tasks(void) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[200];
    int count = -1;
    while (fgets(line, sizeof line, status))
        sscanf(line, "Threads: %d", &count);
    fclose(status);
    return count;
}

int main(int argc, char **argv) {
    expected = atoi(argv[argc - 1]);
    pthread_key_create(&key, destroy);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1000) ||
        getsockname(listener, (struct sockaddr *)&address, &length))
        return 1;
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_t *threads = calloc(expected, sizeof *threads);
    for (int n = 0; n < expected; n++) {
        int *fd = malloc(sizeof *fd);
        *fd = accept(listener, NULL, NULL);
        if (*fd < 0 || pthread_create(&threads[n], NULL, serve, fd))
            return 2;
    }
    int most = tasks();
    long joined = 0;
    for (int n = 0; n < expected; n++) {
        void *count;
        if (pthread_join(threads[n], &count))
            return 3;
        joined += (long)count;
    }
    printf("threads %d bytes %ld joined %ld destroyed %d\n", most, bytes, joined, destroyed);
    return 0;
}
