job "full" {
  accounts {
    csv = "full.csv"
  }
  account "zoe@example.net" {
    user     = "zoe"
    password = "s3cret-literal"
    server   = "pop9.example.net:1995"
    target   = "zoe@example.org"
    hold     = true
    source   = "legacy"
  }
  source "pop3" {
    server          = "pop.example.net"
    tls_ca          = "ca.pem"
    tls_server_name = "mail.example.net"
    tls_min         = "1.0"
    auth            = "plain"
    login           = "${account.local}%${account.domain}"
    pipelining      = "on"
    timeouts {
      greeting = "90s"
      quit     = "1h"
    }
  }
  source "pop3" {
    name     = "legacy"
    server   = "pop://[2001:db8::1]"
    tls_pin  = "00:01:02:03:04:05:06:07:08090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
    password = command("pass", "show", "legacy master")
  }
  source "pop3" {
    name            = "clear"
    tls             = "none"
    allow_cleartext = true
    auth            = "apop"
  }
  sink "mbox" "archive" {
    dir         = "archive"
    compression = "gzip"
    segment     = "64MiB"
  }
  sink "maildir" "copy" {
    dir = "/srv/mail/${account.user}/Maildir"
  }
  sink "smtp" "new" {
    server    = "mx.example.org:587"
    recipient = account.target
    mail_from = "return-path"
    user      = "migrate"
    password  = file("smtp.secret")
  }
  sink "lmtp" "store" {
    server    = "unix:/run/lmtp"
    recipient = "${account.local}@store"
  }
  checkpoint {
    dir = "state/full"
  }
  limits {
    sessions          = 8
    sessions_per_host = 2
    login_spacing     = "1s"
    host_pause        = "1m"
    attempts          = 2
    backoff           = "5s"
    slice_time        = "1h30m"
    slice_messages    = 500
    memory            = "1GiB"
  }
  delete = "accepted"
}
