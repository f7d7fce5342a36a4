# want unknown.hcl:9,1: Unsupported block type: Blocks of type "jobs" are not expected here. Did you mean "job"?
# want unknown.hcl:11,3: Missing csv: This block needs the attribute csv.
# want unknown.hcl:12,5: Unsupported argument: An argument named "cvs" is not expected here. Did you mean "csv"?
# want unknown.hcl:19,5: Unsupported argument: An argument named "tsl" is not expected here. Did you mean "tls"?
# want unknown.hcl:21,3: Unknown source: A source is "pop3", "kpop" or "demo".
# want unknown.hcl:27,8: Unknown sink: A sink is "mbox", "maildir", "smtp" or "lmtp".
# want unknown.hcl:28,15: Missing name for sink: All sink blocks must have 2 labels (kind, name).
# want unknown.hcl:29,12: Unknown word: delete is one of "never", "verified", "accepted", "forbidden".
jobs "a" {}
job "b" {
  accounts {
    cvs = "x.csv"
  }
  account "x" {
    password = env("X")
  }
  source "pop3" {
    server = "pop.example.net"
    tsl    = "none"
  }
  source "imap" {
    name = "i"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
  sink "tape" "t" {}
  sink "mbox" {}
  delete = "yes"
}
