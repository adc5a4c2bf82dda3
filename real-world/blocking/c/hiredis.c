#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"

void ask(const char *host, int port, int number, char *answer, size_t size)
{
    struct timeval limit = {60, 0};
    redisContext *context = redisConnectWithTimeout(host, port, limit);
    if (!context || context->err) {
        snprintf(answer, size, "no connection: %s", context ? context->errstr : "no memory");
        redisFree(context);
        return;
    }
    redisSetTimeout(context, limit);
    redisReply *nothing = redisCommand(context, "BLPOP nothing:%d 0.1", number);
    int waited = nothing && nothing->type == REDIS_REPLY_NIL;
    freeReplyObject(nothing);
    redisReply *set = redisCommand(context, "SET key:%d value:%d", number, number);
    freeReplyObject(set);
    /* Two on their way at once. */
    redisAppendCommand(context, "GET key:%d", number);
    redisAppendCommand(context, "DEL key:%d", number);
    redisReply *got = NULL, *gone = NULL;
    if (redisGetReply(context, (void **)&got) || redisGetReply(context, (void **)&gone))
        snprintf(answer, size, "no answer: %s", context->errstr);
    else
        snprintf(answer, size, "waited %d, got %s, removed %lld", waited, got->str, gone->integer);
    freeReplyObject(got);
    freeReplyObject(gone);
    redisFree(context);
}
