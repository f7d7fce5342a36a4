# want csv-utf16.csv:1,1: Wrong encoding: The list is in UTF-16; save it as CSV in UTF-8.
job "a" {
  accounts {
    csv = "csv-utf16.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
