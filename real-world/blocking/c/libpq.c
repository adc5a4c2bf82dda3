#include <libpq-fe.h>
#include <stdio.h>

#include "ask.h"

void ask(const char *host, int port, int number, char *answer, size_t size)
{
    char text[256];
    snprintf(text, sizeof text, "host=%s port=%d user=postgres sslmode=disable gssencmode=disable connect_timeout=60", host, port);
    PGconn *connection = PQconnectdb(text);
    if (PQstatus(connection) != CONNECTION_OK) {
        snprintf(answer, size, "no connection: %s", PQerrorMessage(connection));
        PQfinish(connection);
        return;
    }
    PGresult *slept = NULL;
    for (int round = 0; round < 10; round++) {
        PQclear(slept);
        slept = PQexec(connection, "SELECT pg_sleep(0.1)");
    }
    snprintf(text, sizeof text, "%d", number);
    const char *values[] = {text};
    PGresult *row = PQexecParams(connection, "SELECT 2 * $1::int, length(repeat('x', 100000))", 1, NULL, values, NULL, NULL, 0);
    PGresult *wrong = PQexec(connection, "SELECT * FROM nowhere");
    snprintf(answer, size, "%s, %s and %s, %s", PQresStatus(PQresultStatus(slept)), PQgetvalue(row, 0, 0), PQgetvalue(row, 0, 1),
             PQresultErrorField(wrong, PG_DIAG_SQLSTATE));
    PQclear(slept);
    PQclear(row);
    PQclear(wrong);
    PQfinish(connection);
}
