# want cleartext.hcl:17,14: Clear text: Without TLS everyone on the way can read the passwords and the mail. If that
# want cleartext.hcl:21,17: Clear text: Without TLS everyone on the way can read the mail. If that is truly wanted,
# want cleartext.hcl:24,17: Password in clear text: A password is never sent over the network without TLS.
# want cleartext.hcl:26,3: Half a login: user and password belong together.
# want cleartext.hcl:27,17: Wrong server: server is host:port, such as "mx.example.org:25", or for lmtp unix:/path.
# want cleartext.hcl:30,17: Unknown word: mail_from is one of "<>", "return-path".
# want cleartext.hcl:33,17: Wrong server: Sockets are for lmtp, as unix:/path.
# want cleartext.hcl:35,17: TLS on a socket: A unix socket needs no TLS.
# want cleartext.hcl:37,12: Nothing to verify: No sink of this job can be read back, so nothing would ever be
job "a" {
  account "x" {
    password = env("X")
    target   = "x@example.org"
  }
  source "pop3" {
    server = "pop.example.net"
    tls    = "none"
  }
  sink "smtp" "s" {
    server    = "mx.example.net:25"
    tls       = "none"
    recipient = account.target
    user      = "u"
    password  = env("X")
  }
  sink "smtp" "t" {
    server    = "mx.example.net"
    recipient = account.target
    user      = "u"
    mail_from = "x@example.org"
  }
  sink "smtp" "u" {
    server    = "unix:/run/smtp"
    recipient = account.name
    tls       = "starttls"
  }
  delete = "verified"
}
