# want csv-no-user.csv:1,1: Missing column: The header names neither user nor name; the first line of a list names
job "a" {
  accounts {
    csv = "csv-no-user.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
