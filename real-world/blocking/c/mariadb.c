#include <mysql.h>
#include <stdio.h>

#include "ask.h"

void ask(const char *host, int port, int number, char *answer, size_t size)
{
    MYSQL *connection = mysql_init(NULL);
    unsigned limit = 60;
    mysql_options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &limit);
    mysql_options(connection, MYSQL_OPT_READ_TIMEOUT, &limit);
    if (!mysql_real_connect(connection, host, "anybody", "", "test", port, NULL, 0)) {
        snprintf(answer, size, "no connection: %s", mysql_error(connection));
        mysql_close(connection);
        return;
    }
    char query[128];
    snprintf(query, sizeof query, "SELECT SLEEP(0.1), 2 * %d, LENGTH(REPEAT('x', 100000))", number);
    if (mysql_query(connection, query)) {
        snprintf(answer, size, "no answer: %s", mysql_error(connection));
    } else {
        MYSQL_RES *result = mysql_store_result(connection);
        MYSQL_ROW row = mysql_fetch_row(result);
        int used = snprintf(answer, size, "%s, %s, %s", row[0], row[1], row[2]);
        mysql_free_result(result);
        mysql_query(connection, "SELECT * FROM nowhere");
        snprintf(answer + used, size - used, ", error %u", mysql_errno(connection));
    }
    mysql_close(connection);
}
