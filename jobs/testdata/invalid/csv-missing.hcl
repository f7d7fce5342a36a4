# want csv-missing.hcl:4,11: Unreadable account list: open
job "a" {
  accounts {
    csv = "no-such.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
