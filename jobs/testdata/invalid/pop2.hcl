# want pop2.hcl:15,18: Not for POP2: There is no POP2 over TLS. Leave tls out, and say allow_cleartext = true.
# want pop2.hcl:16,18: Not for POP2: POP2 logs in by name and password in clear text and by nothing else. Leave auth out.
# want pop2.hcl:17,18: Not for POP2: POP2 has none. Leave pipelining out.
# want pop2.hcl:12,3: Clear text: POP2 knows no encryption: everyone on the way can read the passwords and the mail. If that is truly wanted, say allow_cleartext = true.
# want pop2.hcl:21,23: Wrong server: kpop:// stands in a source "kpop", pop2:// in a source "pop2", and pop:// and pops:// in a source "pop3".
job "a" {
  account "x" {
    source   = "campus"
    password = "x"
  }
  source "pop3" { server = "pop.example.net" }
  source "pop2" {
    name   = "campus"
    server = "old.example.edu"
    tls        = "starttls"
    auth       = "plain"
    pipelining = "on"
  }
  source "pop2" {
    name            = "other"
    server          = "pop://old.example.edu"
    allow_cleartext = true
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
