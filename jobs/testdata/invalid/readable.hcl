# want readable.hcl:4,16: Secrets in the open: The file holds passwords and others can read it. Mend it with: chmod
job "a" {
  account "x" {
    password = "s3cret"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
