/*
 * kpoppeer: a KPOP server for tests. The Kerberos exchange is that of MIT's own
 * library, krb5_recvauth(); the POP3 behind it is another server's on loopback,
 * to which octets are relayed. Only USER and PASS are looked at: who holds a
 * ticket for the user, or for the principal that may open all maildrops, gets
 * the password that the server behind wants, "pw-" and the name; anybody else a
 * wrong one.
 *
 *   kpoppeer PORT BACKEND_PORT KEYTAB CLOCK_OFFSET_SECONDS MASTER_PRINCIPAL
 *
 * Every connection has a process of its own. What happens goes to standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <krb5.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            exit(0);
        p += w;
        n -= (size_t)w;
    }
}

static struct sockaddr_in loopback(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* The principal that showed its ticket, or no return. */
static char *authenticate(int fd, char **argv)
{
    krb5_context context;
    krb5_auth_context auth = NULL;
    krb5_keytab keytab;
    krb5_ticket *ticket = NULL;
    char *name = NULL;
    krb5_error_code rc = krb5_init_context(&context);
    if (!rc && atoi(argv[4]) != 0)
        rc = krb5_set_real_time(context, (krb5_timestamp)(time(NULL) + atoi(argv[4])), 0);
    if (!rc)
        rc = krb5_kt_resolve(context, argv[3], &keytab);
    if (!rc)
        rc = krb5_recvauth(context, &auth, &fd, "KPOPV1.0", NULL, 0, keytab, &ticket);
    if (!rc)
        rc = krb5_unparse_name(context, ticket->enc_part2->client, &name);
    if (rc) {
        fprintf(stderr, "refused: %s\n", krb5_get_error_message(context, rc));
        exit(0);
    }
    fprintf(stderr, "client %s\n", name);
    return name;
}

/* Whether a principal may open the maildrop of a user. */
static int may_open(const char *principal, const char *user, const char *master)
{
    size_t n = strlen(user);
    return !strcmp(principal, master) || (!strncmp(principal, user, n) && principal[n] == '@');
}

/* One line of the client's, before the login; 1 after PASS. */
static int forward(int backend, char *line, const char *principal, const char *master)
{
    static char user[512];
    char out[1024];
    line[strcspn(line, "\r\n")] = 0;
    fprintf(stderr, "< %s\n", line);
    if (!strncasecmp(line, "USER ", 5))
        snprintf(user, sizeof user, "%s", line + 5);
    if (!strncasecmp(line, "PASS ", 5))
        snprintf(out, sizeof out, "PASS %s%s\r\n", may_open(principal, user, master) ? "pw-" : "not ", user);
    else
        snprintf(out, sizeof out, "%s\r\n", line);
    write_all(backend, out, strlen(out));
    return !strncasecmp(line, "PASS ", 5);
}

static void relay(int client, int backend, const char *principal, const char *master)
{
    char buffer[16384], line[512];
    size_t have = 0;
    int logged_in = 0;
    struct pollfd f[2] = {{.fd = client, .events = POLLIN}, {.fd = backend, .events = POLLIN}};
    while (poll(f, 2, -1) > 0) {
        if (f[1].revents) {
            ssize_t n = read(backend, buffer, sizeof buffer);
            if (n <= 0)
                return;
            write_all(client, buffer, (size_t)n);
        }
        if (!f[0].revents)
            continue;
        ssize_t n = read(client, buffer, sizeof buffer);
        if (n <= 0)
            return;
        for (ssize_t i = 0; i < n; i++) {
            if (logged_in) {
                write_all(backend, buffer + i, (size_t)(n - i));
                break;
            }
            if (have < sizeof line - 1)
                line[have++] = buffer[i];
            if (buffer[i] == '\n') {
                line[have] = 0;
                logged_in = forward(backend, line, principal, master);
                have = 0;
            }
        }
    }
}

static void serve(int client, char **argv)
{
    alarm(300);
    char *principal = authenticate(client, argv);
    struct sockaddr_in a = loopback(argv[2]);
    int backend = socket(AF_INET, SOCK_STREAM, 0);
    if (backend < 0 || connect(backend, (struct sockaddr *)&a, sizeof a) < 0) {
        perror("backend");
        return;
    }
    relay(client, backend, principal, argv[5]);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    struct sockaddr_in a = loopback(argv[1]);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(listener, 128) < 0) {
        perror("kpoppeer");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        if (fork() == 0) {
            close(listener);
            serve(client, argv);
            return 0;
        }
        close(client);
    }
}
