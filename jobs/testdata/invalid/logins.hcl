# want logins.hcl:18,3: Missing password: Neither the account nor its source has a password.
# want logins.hcl:25,16: Wrong identity: The identity of the account at testdata/invalid/logins.hcl:14 is empty
# want logins.hcl:30,16: Missing certificate: external logs in with a client certificate; name one with tls_cert and
# want logins.hcl:31,16: Missing certificate: tls_key is the key of the client certificate that tls_cert names.
# want logins.hcl:36,16: Contradiction: "auto" stands alone: it means every mechanism, strongest first.
# want logins.hcl:36,16: One mechanism twice: "plain" stands in auth already.
# want logins.hcl:36,16: Unknown word: auth is "auto", a mechanism, or a list of them; the mechanisms are "gssapi",
# want logins.hcl:37,16: Unknown word: utf8 is one of "auto", "on", "off".
# want logins.hcl:42,16: Wrong value: auth is "auto", a mechanism, or a list such as ["scram-sha-256", "plain"];
# want logins.hcl:47,16: Wrong value: auth is "auto", a mechanism, or a list such as ["scram-sha-256", "plain"];
# want logins.hcl:52,16: Unreadable certificate: open testdata/invalid/missing.pem
# want logins.hcl:57,16: Wrong certificate: tls: found a certificate rather than a key in the PEM for the private key.
job "a" {
  account "x" {
    password = env("X")
    source   = "i"
  }
  account "y" {
    source = "n"
  }
  source "pop3" {
    name     = "i"
    server   = "pop.example.net"
    login    = "m"
    identity = "${account.target}"
  }
  source "pop3" {
    name     = "e"
    server   = "pop.example.net"
    auth     = "external"
    tls_key  = "mover.pem"
  }
  source "pop3" {
    name     = "w"
    server   = "pop.example.net"
    auth     = ["auto", "plain", "plain", "kerberos_v4"]
    utf8     = "yes"
  }
  source "pop3" {
    name     = "l"
    server   = "pop.example.net"
    auth     = []
  }
  source "pop3" {
    name     = "k"
    server   = "pop.example.net"
    auth     = 7
  }
  source "pop3" {
    name     = "c"
    server   = "pop.example.net"
    tls_cert = "missing.pem"
  }
  source "pop3" {
    name     = "p"
    server   = "pop.example.net"
    tls_cert = "ca.pem"
  }
  source "pop3" {
    name   = "n"
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
