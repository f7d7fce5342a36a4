# want readable-list.csv:1,1: Secrets in the open: The file holds passwords and others can read it. Mend it with: chmod
job "a" {
  accounts {
    csv = "readable-list.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
