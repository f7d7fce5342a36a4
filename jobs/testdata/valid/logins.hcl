job "logins" {
  account "alice" {}
  account "bob" {
    source   = "list"
    password = env("X")
  }
  account "carol" {
    source   = "one"
    password = env("X")
  }
  account "dave" {
    source = "proxy"
  }
  account "erin" {
    source   = "clear"
    password = env("X")
  }
  source "pop3" {
    server   = "pop.example.net"
    auth     = "external"
    tls_cert = "readable-mover.pem"
  }
  source "pop3" {
    name   = "list"
    server = "pop.example.net"
    auth   = ["SCRAM-SHA-256", "plain"]
    utf8   = "on"
  }
  source "pop3" {
    name   = "one"
    server = "pop.example.net"
    auth   = "cram-md5"
  }
  source "pop3" {
    name     = "proxy"
    server   = "pop.example.net"
    login    = "migrator"
    identity = "${account.user}"
    password = file("master.secret")
    tls_cert = "mover.pem"
    tls_key  = "mover.key"
  }
  source "pop3" {
    name            = "clear"
    server          = "pop.example.net"
    tls             = "none"
    allow_cleartext = true
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
