#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"

struct body {
    char *start;
    size_t used, size;
};

static size_t keep(char *data, size_t one, size_t count, void *argument)
{
    struct body *body = argument;
    (void)one;
    if (count >= body->size - body->used)
        return 0;
    memcpy(body->start + body->used, data, count);
    body->used += count;
    body->start[body->used] = 0;
    return count;
}

void ask(const char *host, int port, int number, char *answer, size_t size)
{
    char url[128];
    struct body body = {answer, 0, size};
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "http://%s:%d/%d", host, port, number);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    CURLcode code = curl_easy_perform(curl);
    if (code)
        snprintf(answer, size, "no answer: %s", curl_easy_strerror(code));
    curl_easy_cleanup(curl);
}
